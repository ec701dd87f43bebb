"""All that a model folder, and what lies beside it, tell of a model."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import UnsupportedModelError
from edge.training.evaluation.record import EVALUATION_FILE, Evaluation, read_evaluation
from edge.training.report.training_log import TrainingLog, read_training_log
from edge.vision.model_folder import ModelFolder, read_model_folder
from edge.vision.native.convert import Summary, summarise
from edge.vision.native.support import check_supported

CARD_FILE = "README.md"
_METRICS_FILE = "metrics.jsonl"
_OF_A_RUN = "model"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model; ``unsupported`` says why the native runtime does not serve it."""

    path: Path
    folder: ModelFolder
    weights: Summary
    sha256: dict[str, str]
    unsupported: str | None
    card: str | None
    run: TrainingLog | None
    evaluations: dict[Path, Evaluation]


def gather(path: Path) -> Facts:
    """Read everything there is.

    Raises:
        ModelError: it is no model folder, or its weights cannot be read.
        DatasetError: the log of its run is broken.
    """
    path = path / _OF_A_RUN if not (path / "model.json").exists() and (path / _OF_A_RUN).is_dir() else path
    folder = read_model_folder(path)
    files = (folder.config_file, folder.weights_file)
    card, run = path / CARD_FILE, path.resolve().parent
    return Facts(
        path=path,
        folder=folder,
        weights=summarise(folder.weights_file),
        sha256={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        unsupported=_why_unsupported(folder),
        card=card.read_text(encoding="utf-8") if card.is_file() else None,
        run=read_training_log(run) if (run / _METRICS_FILE).is_file() else None,
        evaluations=dict(_evaluations(path, folder.version)),
    )


def _why_unsupported(folder: ModelFolder) -> str | None:
    try:
        check_supported(folder.config, source=folder.config_file.name)
    except UnsupportedModelError as error:
        return str(error)
    return None


def _evaluations(path: Path, version: str) -> Iterator[tuple[Path, Evaluation]]:
    """Evaluations of this version: in the folder, in its run's, and in folders beside it."""
    run = path.resolve().parent
    files = [
        path.resolve() / EVALUATION_FILE,
        run / EVALUATION_FILE,
        *sorted(run.glob(f"*/{EVALUATION_FILE}")),
    ]
    for place in dict.fromkeys(file.parent for file in files):
        try:
            evaluation = read_evaluation(place)
        except (OSError, msgspec.DecodeError):
            continue  # there is none, or it is another program's
        if evaluation.model_version == version:
            yield place, evaluation
