"""A model folder as an archive for TorchServe: model, handler, and how it is to be batched."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edge.daemon import load_model
from edge.errors import ModelError
from edge.pipeline.trial import load_and_try
from edge.serving.torchserve import entry, require_archiver
from edge.serving.torchserve.handler import MODEL_FOLDER, SECTION
from edge.settings import Settings
from edge.vision.exported.record import EXPORT_FILE, read_record
from edge.vision.model_folder import DESCRIPTION_FILE, ModelFolder, read_model_folder
from edge.vision.runtime import BUNDLED_MODEL

HANDLER_FILE = "stripsight_handler.py"
CONFIG_FILE = "model-config.yaml"
SUFFIX = ".mar"

# From the request's arrival in a worker to its answer. A CPU takes a second a frame, and batches are small.
_RESPONSE_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Batching:
    """How TorchServe collects requests, and how many workers look at them."""

    size: int
    max_delay_ms: int
    workers: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was written."""

    file: Path
    model: ModelFolder


def build(settings: Settings, out: Path, *, name: str, batching: Batching) -> Archive:
    """Write ``<name>.mar``, in one step: a TorchServe that starts meanwhile reads the one before.

    Args:
        settings: the model's, and what is known of cameras. Addresses and secrets do not go along.
        out: folder; made if need be.
        name: how TorchServe is to call the model.
        batching: goes into the archive, where TorchServe reads it.

    Raises:
        ModelError: the folder cannot be served, or torch-model-archiver is absent or fails.
        ModelRefusedError: the model does not pass its trial.
        OSError: a file cannot be written.
    """
    require_archiver()
    source = settings.model.path or BUNDLED_MODEL
    model = read_model_folder(source)
    load_and_try(lambda: load_model(settings.model)).close()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=out) as place:
        stage = Path(place)
        content = stage / "content"
        copy_model(source, model, content / MODEL_FOLDER)
        shutil.copyfile(entry.__file__, stage / HANDLER_FILE)
        config = yaml.safe_dump(config_of(settings, batching), sort_keys=False)
        (stage / CONFIG_FILE).write_text(config, encoding="utf-8")
        _pack(stage, content, name, model.version)
        file = out / f"{name}{SUFFIX}"
        (stage / file.name).replace(file)
    return Archive(file, model)


def config_of(settings: Settings, batching: Batching) -> dict[str, Any]:
    """Return what stands in the archive's ``model-config.yaml``."""
    given = settings.model_dump(mode="json", exclude_defaults=True)
    model = given.get("model", {})
    model.pop("path", None)  # it lies in the archive
    ours = {
        "line": given.get("line"),
        "cameras": given.get("cameras"),
        "model": model,
        "pipeline": {
            key: value
            for key, value in given.get("pipeline", {}).items()
            if key in ("decode_threads", "max_pixels")
        },
    }
    return {
        "minWorkers": batching.workers,
        "maxWorkers": batching.workers,
        "batchSize": batching.size,
        "maxBatchDelay": batching.max_delay_ms,
        "responseTimeout": _RESPONSE_TIMEOUT_S,
        SECTION: {key: value for key, value in ours.items() if value},
    }


def copy_model(source: Path, model: ModelFolder, target: Path) -> None:
    """Copy what is the model's, and say its name: in the archive the folder is called otherwise."""
    for file in (model.config_file, model.weights_file, *graph_files(model)):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    described = source / DESCRIPTION_FILE
    description = json.loads(described.read_bytes()) if described.exists() else {}
    text = json.dumps(description | {"name": model.name}, indent=2)
    (target / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def graph_files(model: ModelFolder) -> list[Path]:
    """Return the files of an exported model's graphs; none of a model with weights."""
    if model.weights_file.name != EXPORT_FILE:
        return []
    folder = model.weights_file.parent
    return [folder / name for name in read_record(folder).files if name != model.config_file.name]


def _pack(stage: Path, content: Path, name: str, version: str) -> None:
    """Run the archiver in a process of its own, with temporary files of its own.

    Among those it empties the folder of the model's name, whoever has put it there.
    """
    arguments = {
        "--model-name": name,
        "--version": version,
        "--handler": stage / HANDLER_FILE,
        "--config-file": stage / CONFIG_FILE,
        "--extra-files": content,
        "--export-path": stage,
        "--archive-format": "zip-store",  # weights do not get smaller
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    scratch = stage / "scratch"
    scratch.mkdir()
    done = subprocess.run(  # noqa: S603 - this very Python, and a module of a library
        [sys.executable, "-m", "model_archiver.model_packaging", *words],
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ModelError(f"torch-model-archiver has failed: {reason[0]}")
