"""What a run wrote into ``metrics.jsonl`` while it trained."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from edge.errors import DatasetError

METRICS_FILE = "metrics.jsonl"
# What Detectron2's trainer writes, an object a line as well, and its other names for the same.
_METRICS_FILE_THERE = "metrics.json"
_NAMES_THERE = {"total_loss": "loss", "time": "seconds"}
# A validation that says no name.
_UNNAMED = "validation"

Points = tuple[list[int], list[float]]
"""Iterations and the values there."""


@dataclass(frozen=True, slots=True)
class Validation:
    """One set of frames, validated again and again while the model trained."""

    name: str
    frames: int | None
    iterations: list[int]
    dice: list[float]
    dice_of_nothing: float | None

    @property
    def best(self) -> int:
        """Index of the validation with the highest Dice; the first of several."""
        return max(range(len(self.dice)), key=self.dice.__getitem__)


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """A run's curves; ``losses`` by their names, "loss" being the sum."""

    losses: Mapping[str, Points]
    learning_rate: Points
    seconds_per_iteration: float | None
    validations: tuple[Validation, ...]

    @property
    def iterations(self) -> int:
        """The last iteration that the log tells of; 0 if it is empty."""
        ends = [points[0][-1] for points in self.losses.values()]
        return max([*ends, *(v.iterations[-1] for v in self.validations)], default=0)


def read_training_log(run: Path) -> TrainingLog:
    """Read the log of a run's folder.

    A run that was resumed starts again from an earlier iteration: what it had told from there on is
    forgotten.

    Raises:
        DatasetError: there is no log, or a line of it is no object with an iteration.
    """
    file = run / METRICS_FILE
    if not file.exists() and (run / _METRICS_FILE_THERE).exists():
        file = run / _METRICS_FILE_THERE
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read: {error.strerror or error}") from error
    records = list(_records(file, lines))
    training = _latest([r for r in records if "dice" not in r])
    return TrainingLog(
        losses={name: points(training, name) for name in _loss_names(training)},
        learning_rate=points(training, "lr"),
        seconds_per_iteration=_median([r["seconds"] for r in training if _is_number(r.get("seconds"))]),
        validations=tuple(_validations([r for r in records if "dice" in r])),
    )


def points(records: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Collect the numbers of a key, and their iterations; what is no number is left out."""
    having = [record for record in records if _is_number(record.get(key))]
    return [record["iteration"] for record in having], [float(record[key]) for record in having]


def _records(file: Path, lines: Sequence[bytes]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            # A run that is writing just now may have written half of its last line.
            if number == len(lines):
                return
            raise DatasetError(f"{file}:{number}: {error}") from error
        if not isinstance(record, dict) or type(record.get("iteration")) is not int:
            raise DatasetError(f"{file}:{number}: has no iteration")
        yield {_NAMES_THERE.get(key) or key: value for key, value in record.items()}


def _latest(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kept: list[Mapping[str, Any]] = []
    for record in records:
        while kept and kept[-1]["iteration"] >= record["iteration"]:
            kept.pop()
        kept.append(record)
    return kept


def _loss_names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sum first, its parts after it."""
    names = dict.fromkeys(key for record in records for key in record if _is_loss(key, record[key]))
    return sorted(names, key=lambda name: name != "loss")


def _is_loss(key: str, value: object) -> bool:
    return (key == "loss" or key.startswith("loss_")) and _is_number(value)


def _validations(records: Sequence[Mapping[str, Any]]) -> Iterator[Validation]:
    for name in dict.fromkeys(str(record.get("validation", _UNNAMED)) for record in records):
        own = _latest([r for r in records if str(r.get("validation", _UNNAMED)) == name])
        iterations, dice = points(own, "dice")
        if iterations:
            frames = own[-1].get("frames")
            yield Validation(
                name=name,
                frames=frames if isinstance(frames, int) else None,
                iterations=iterations,
                dice=dice,
                dice_of_nothing=next(reversed(points(own, "dice_of_nothing")[1]), None),
            )


def _is_number(value: object) -> TypeGuard[float]:
    """Tell numbers from what stands in their place, as where a loss was not finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
