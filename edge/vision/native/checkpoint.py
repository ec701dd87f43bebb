"""Weights from disk into a model; nothing that a file contains is executed."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from edge.errors import ModelFileError, ModelMismatchError
from edge.vision.exported.record import EXPORT_FILE, read_record
from edge.vision.native.zoo_pickle import read_zoo_pickle

# These hold nothing that inference reads: batch norm's step counter, and what old checkpoints carry along
# although the config tells it.
IGNORED = ("num_batches_tracked", "pixel_mean", "pixel_std")
IGNORED_PART = "anchor_generator.cell_anchors"
# Enough to see what is wrong; a model of another depth differs in hundreds.
MAX_NAMED_DIFFERENCES = 8


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read weights with float32 values; formats and errors as of ``read_state``."""
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in read_state(file).items()
    }


def read_state(file: Path) -> dict[str, Tensor]:
    """Read weights as they are stored.

    Formats: ``.safetensors``, ``.pth`` (a state dict, or ``{"model": state dict}``), and ``.pkl`` as
    Detectron2's model zoo has it.

    Raises:
        ModelFileError: the file is missing or unreadable, wants to execute code, or holds anything but finite
            tensors.
    """
    state = _read(file)
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ModelFileError(f"{file}: {name} is a {type(value).__name__}, not a tensor")
        if value.is_floating_point() and not value.isfinite().all():
            raise ModelFileError(f"{file}: {name} holds values that are not finite")
    return state


def load_weights(model: nn.Module, weights: dict[str, Tensor], *, source: Path) -> None:
    """Copy weights into a model.

    Raises:
        ModelMismatchError: names each key that is missing, left over, or of another shape, and both shapes.
    """
    expected = {name: value for name, value in model.state_dict().items() if not _ignored(name)}
    given = {name: value for name, value in weights.items() if not _ignored(name)}
    differences = [
        f"{name} is {_shape(given.get(name))} in the weights, {_shape(expected.get(name))} by the config"
        for name in sorted(expected.keys() | given.keys())
        if _shape(given.get(name)) != _shape(expected.get(name))
    ]
    if differences:
        rest = len(differences) - MAX_NAMED_DIFFERENCES
        named = "; ".join(differences[:MAX_NAMED_DIFFERENCES])
        raise ModelMismatchError(
            f"{source} does not fit its config: {named}{f'; and {rest} more' if rest > 0 else ''}"
        )
    # The model's own dict tells modules that the names are of today, so that none of them converts old ones.
    state = model.state_dict()
    state.update(given)
    model.load_state_dict(state)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ModelFileError(f"{file}: there is no such file")
    if file.name == EXPORT_FILE:
        raise ModelFileError(
            f"{file.parent}: is an exported model, whose weights are in its graphs: "
            f'model.runtime = "{read_record(file.parent).format}" runs it'
        )
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    if file.suffix == ".pth":
        return _read_pth(file)
    if file.suffix == ".pkl":
        return read_zoo_pickle(file)
    raise ModelFileError(f"{file}: '{file.suffix}' is not read; weights are .safetensors, .pth or .pkl")


def _read_safetensors(file: Path) -> dict[str, Any]:
    try:
        # Not load_file: it maps the file, and who writes over it meanwhile would end the process (SIGBUS).
        return safetensors.torch.load(file.read_bytes())
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(f"{file}: cannot be read: {error}") from error


def _read_pth(file: Path) -> dict[str, Any]:
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # torch's own words advise to execute what it contains
        raise ModelFileError(f"{file}: refused: it holds more than tensors, or is damaged") from error
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise ModelFileError(f"{file}: refused, or cannot be read: {reason}") from error
    state = loaded.get("model", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(state, dict) or not state:
        raise ModelFileError(f"{file}: holds no state dict")
    return state


def _ignored(name: str) -> bool:
    return name.endswith(IGNORED) or IGNORED_PART in name


def _shape(value: Tensor | None) -> str:
    return "missing" if value is None else str(tuple(value.shape))
