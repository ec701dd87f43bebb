"""Files of weights: where a run goes on from, what it begins with, and what it found best."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge.errors import ModelFileError, ModelMismatchError, OutputError
from edge.training.engine.imagenet import imagenet_weights
from edge.vision.model_folder import CONFIG_FILE, WEIGHTS_FILES, read_model_folder
from edge.vision.native.checkpoint import read_weights
from edge.vision.native.config import Model
from edge.vision.native.efficientnet_lite import from_published, is_published
from edge.vision.native.support import LITE_FPN

LAST = "last.pth"
BEST = "best.pth"
MODEL_FOLDER = "model"
FRESH = "fresh"
IMAGENET = "imagenet"


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write beside, then rename: an interruption leaves the former file whole.

    Raises:
        OutputError: it cannot be written.
    """
    beside = path.with_suffix(".tmp")
    try:
        torch.save(dict(state), beside)
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer tells a full disk in its own way
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {_first_line(error)}; is the disk full?") from error


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what ``save`` wrote.

    Raises:
        ModelFileError: the file cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelFileError(f"{path}: cannot be read: {_first_line(error)}") from error
    return state


def initial_weights_file(init: str | None, model: Model, config: Path) -> Path | None:
    """Find what training begins with; None for fresh weights.

    Args:
        init: a model folder, a run's folder, a checkpoint, ``imagenet`` or ``fresh``; None leaves it to the
            config.
        model: the config's; WEIGHTS is a file as seen from here or from the config's folder; "" for none.
        config: the config's file.

    Raises:
        ModelFileError: it names a place without weights.
        SettingsError: there are no weights of ImageNet for this model.
    """
    if init == FRESH or (init is None and not model.weights):
        return None
    if init == IMAGENET:
        return imagenet_weights(model)
    if init is not None:
        return _weights_in(Path(init))
    for file in (Path(model.weights), config.parent / model.weights):
        if file.is_file():
            return file
    raise ModelFileError(
        f"{config}: MODEL.WEIGHTS: there is no file {model.weights}; leave MODEL.WEIGHTS empty or say "
        f"--init {FRESH} to begin with fresh weights"
    )


def read_initial(file: Path, model: Model) -> dict[str, Tensor]:
    """Read weights to begin with; a published classifier's become those of the detector's backbone.

    Raises:
        ModelFileError: the file cannot be read.
    """
    weights = read_weights(file)
    if model.backbone.name == LITE_FPN and is_published(weights):
        return from_published(weights, model.efficientnet_lite)
    return weights


def load_fitting(model: nn.Module, given: Mapping[str, Tensor], *, source: Path) -> list[str]:
    """Load the weights that fit by name and shape; returns those that do not and stay fresh, with the reason.

    Raises:
        ModelMismatchError: nothing fits.
    """
    own = model.state_dict()
    fitting = {name: value for name, value in given.items() if _shape(own.get(name)) == _shape(value)}
    fresh = [
        f"{name}: {_shape(given.get(name))} in the weights, {_shape(value)} by the config"
        for name, value in own.items()
        if name not in fitting and not name.endswith("num_batches_tracked")
    ]
    if not fitting:
        raise ModelMismatchError(f"{source}: none of its parameters fits the config")
    model.load_state_dict(own | fitting)
    return fresh


def _weights_in(place: Path) -> Path:
    if place.is_file():
        return place
    if (place / MODEL_FOLDER / CONFIG_FILE).is_file():
        place = place / MODEL_FOLDER
    elif (place / BEST).is_file():
        return place / BEST
    elif (place / LAST).is_file():
        return place / LAST
    if not any((place / name).is_file() for name in WEIGHTS_FILES):
        raise ModelFileError(f"--init {place}: is no model folder, no run's folder and no checkpoint")
    return read_model_folder(place).weights_file


def _first_line(error: Exception) -> str:
    """What torch says over many lines; an empty file says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _shape(value: Tensor | None) -> str:
    return "missing" if value is None else str(tuple(value.shape))
