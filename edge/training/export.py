"""Make a model folder: ``python -m edge.training.export --run RUN --config YAML --out DIR --name NAME``.

The folder gets the config as it is, the run's best weights in float16 under Detectron2's names, and
``model.json`` with class names and with score thresholds that are tuned on validation frames.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from edge.errors import ModelFileError
from edge.training.data.severstal import held_out, read_frames
from edge.training.engine.config import read_training_config
from edge.training.engine.validation import detect, synthetic_frames
from edge.training.evaluation.judge import tune_thresholds
from edge.vision.native.checkpoint import load_weights
from edge.vision.native.rcnn import GeneralizedRCNN, build_model

# Severstal numbers its classes and does not name them.
CLASS_NAMES = ("defect_1", "defect_2", "defect_3", "defect_4")
WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "model.json"
_STEP_COUNTER = "num_batches_tracked"  # of batch norm; nothing at inference reads it
_SYNTHETIC_FRAMES = 60


def half_precision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float16.

    Raises:
        ModelFileError: a value is beyond float16's range.
    """
    halves = {
        name: value.half().contiguous() for name, value in state.items() if not name.endswith(_STEP_COUNTER)
    }
    too_large = [name for name, value in halves.items() if not value.isfinite().all()]
    if too_large:
        raise ModelFileError(f"weights do not fit into float16: {', '.join(too_large)}")
    return halves


def write_folder(
    out: Path, config: Path, weights: dict[str, Tensor], *, name: str, thresholds: dict[str, float]
) -> None:
    """Write ``config.yaml``, ``model.safetensors`` and ``model.json``."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / "config.yaml").resolve() != config.resolve():
        shutil.copyfile(config, out / "config.yaml")
    (out / WEIGHTS_FILE).write_bytes(safetensors.torch.save(weights))
    description = {"name": name, "classes": list(thresholds), "score_thresholds": thresholds}
    (out / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and export."""
    options = _parser().parse_args(arguments)
    checkpoint = torch.load(options.run / "best.pth", weights_only=True)
    weights = half_precision(checkpoint["model"])
    model = _model(options.config, weights, source=options.run)
    samples = synthetic_frames(_SYNTHETIC_FRAMES)
    if options.severstal:
        samples += [frame for frame in read_frames(options.severstal) if held_out(frame.name)]
    found = [detect(model, sample.image) for sample in samples]
    thresholds = dict(
        zip(CLASS_NAMES, tune_thresholds(samples, found, classes=len(CLASS_NAMES)), strict=True)
    )
    write_folder(options.out, options.config, weights, name=options.name, thresholds=thresholds)


def _model(config: Path, weights: dict[str, Tensor], *, source: Path) -> GeneralizedRCNN:
    """Build the model that will be served: float16 weights, computed in float32."""
    model = build_model(read_training_config(config).model)
    load_weights(model, {name: value.float() for name, value in weights.items()}, source=source)
    return model.eval().to(memory_format=torch.channels_last)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge.training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--config", type=Path, required=True, help="the run's config.yaml")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument("--severstal", type=Path, help="real frames: held-out ones help to tune thresholds")
    return parser


if __name__ == "__main__":
    main()
