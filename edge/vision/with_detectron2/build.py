"""From a model folder to Detectron2's model, by Detectron2's own config and builders."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detectron2.modeling import build_model
from torch import nn

from edge.errors import SettingsError, UnsupportedModelError
from edge.vision.model_folder import HEADS, ModelFolder
from edge.vision.native.checkpoint import load_weights, read_weights
from edge.vision.with_detectron2.efficientnet_lite import base_config

FORMATS = ("BGR", "RGB")


def build(folder: ModelFolder, *, imports: Sequence[str], score_threshold: float, device: str) -> nn.Module:
    """Build the model, ready for inference on the device.

    Args:
        folder: what is served.
        imports: as ``model.imports`` of the settings; their code is executed, nothing of the folder's is.
        score_threshold: the lowest of all classes, which the model itself applies if its config has one.
        device: torch's name.

    Raises:
        SettingsError: an import fails.
        ModelError: Detectron2 cannot build the config, or the weights do not fit.
    """
    cfg = base_config()
    for entry in imports:
        _import(entry, cfg)
    _merge(cfg, folder.config_file)
    if cfg.INPUT.FORMAT not in FORMATS:
        raise UnsupportedModelError(
            f"{folder.config_file}: INPUT.FORMAT: '{cfg.INPUT.FORMAT}' is not supported; "
            f"supported: {', '.join(FORMATS)}"
        )
    cfg.MODEL.DEVICE = device
    section = HEADS.get(cfg.MODEL.META_ARCHITECTURE)
    if section is not None:
        cfg.MODEL[section].SCORE_THRESH_TEST = score_threshold
    cfg.freeze()
    model = _build(cfg, folder.config_file)
    load_weights(model, read_weights(folder.weights_file), source=folder.weights_file)
    return model.eval().requires_grad_(False)


def _import(entry: str, cfg: Any) -> None:
    """Import a module, which registers its parts with Detectron2; let its function add keys to the config."""
    module_name, _, function = entry.partition(":")
    try:
        module = importlib.import_module(module_name)
        if function:
            getattr(module, function)(cfg)
    except Exception as error:  # it is anybody's code
        raise SettingsError(f"imports: '{entry}': {type(error).__name__}: {error}") from error


def _merge(cfg: Any, file: Path) -> None:
    """Merge the folder's config, whose reader has made sure that it is plain YAML without a base."""
    try:
        cfg.merge_from_file(str(file.resolve()), allow_unsafe=False)
    except Exception as error:  # assertions, KeyErrors and ValueErrors, by what is wrong
        raise UnsupportedModelError(
            f"{file}: {_reason(error)}; keys of a project are known once its function that adds them "
            "is in model.imports"
        ) from error


def _build(cfg: Any, file: Path) -> nn.Module:
    try:
        model: nn.Module = build_model(cfg)
    except Exception as error:  # whatever the constructors of its parts raise
        raise UnsupportedModelError(f"{file}: Detectron2 cannot build it: {_reason(error)}") from error
    return model


def _reason(error: Exception) -> str:
    """Return the message; a KeyError's would be quoted."""
    return str(error.args[0]) if error.args else type(error).__name__
