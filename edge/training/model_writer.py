"""Writing a model folder: Detectron2's config, weights in float16, and ``model.json``."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import yaml
from torch import Tensor

from edge.errors import ModelFileError
from edge.vision.model_folder import CONFIG_FILE, DESCRIPTION_FILE, Description
from edge.vision.native.config import read_yaml

WEIGHTS_FILE = "model.safetensors"
_STEP_COUNTER = "num_batches_tracked"  # of batch norm; nothing at inference reads it


def half_precision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float16, on the CPU.

    Raises:
        ModelFileError: a value is beyond float16's range.
    """
    halves = {
        name: value.half().cpu().contiguous()
        for name, value in state.items()
        if not name.endswith(_STEP_COUNTER)
    }
    too_large = [name for name, value in halves.items() if not value.isfinite().all()]
    if too_large:
        raise ModelFileError(f"weights do not fit into float16: {', '.join(too_large)}")
    return halves


def write_folder(
    out: Path,
    config: Path,
    weights: dict[str, Tensor],
    *,
    name: str,
    class_names: Sequence[str],
    thresholds: Sequence[float],
    frame_px: tuple[int, int],
) -> None:
    """Write ``config.yaml``, ``model.safetensors`` and ``model.json``.

    Args:
        out: the folder; made if need be.
        config: Detectron2's config, which is copied; its MODEL.WEIGHTS then names the new weights.
        weights: by Detectron2's names; ``half_precision`` makes them small.
        name: of the model.
        class_names: by class id.
        thresholds: the score that a detection of each class must exceed.
        frame_px: (width, height) of the frames that it has learned from, the largest of each.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_config(config, out / CONFIG_FILE)
    (out / WEIGHTS_FILE).write_bytes(safetensors.torch.save(weights))
    entries = {"name": name, "classes": list(class_names), "frame_px": list(frame_px)}
    _write_description(out, entries, class_names, thresholds)


def store_thresholds(folder: Path, class_names: Sequence[str], thresholds: Sequence[float]) -> None:
    """Put other thresholds into a model folder's ``model.json``, whose other entries stay.

    Raises:
        ModelFileError: the ``model.json`` that is there is not one.
    """
    file = folder / DESCRIPTION_FILE
    entries: dict[str, Any] = {}
    if file.exists():
        try:
            msgspec.json.decode(file.read_bytes(), type=Description)
            entries = json.loads(file.read_bytes())
        except (msgspec.DecodeError, OSError) as error:
            raise ModelFileError(f"{file}: {error}") from error
    _write_description(folder, {"classes": list(class_names)} | entries, class_names, thresholds)


def _write_description(
    folder: Path, entries: dict[str, Any], class_names: Sequence[str], thresholds: Sequence[float]
) -> None:
    by_name = dict(zip(class_names, thresholds, strict=True))
    text = json.dumps(entries | {"score_thresholds": by_name}, indent=2)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def copy_config(config: Path, out: Path) -> None:
    """Copy the config's file, unless it is that very file: a run may be told to go on by its own."""
    if not out.exists() or not out.samefile(config):
        shutil.copyfile(config, out)


def _write_config(config: Path, out: Path) -> None:
    """Copy the config, comments included, unless its MODEL.WEIGHTS has to be changed."""
    raw = read_yaml(config)
    model = raw.setdefault("MODEL", {})
    if model.get("WEIGHTS") == WEIGHTS_FILE:
        copy_config(config, out)
        return
    model["WEIGHTS"] = WEIGHTS_FILE
    out.write_text(yaml.safe_dump(_plain(raw), sort_keys=False), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Turn tuples, which the reader decodes and YAML does not know, into lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
