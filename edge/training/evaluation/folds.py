"""How far figures can be trusted: their spread over folds, and thresholds that never saw what they judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import SettingsError
from edge.training.evaluation.comparison import Comparison
from edge.training.evaluation.record import CrossTuned, Fold, Folds, Spread
from edge.training.evaluation.tally import Tally, above

_HALVES = 2


class Tune(Protocol):
    """Chooses thresholds; says in words what for."""

    def __call__(self, tallies: Sequence[Tally]) -> list[float]:
        """One threshold for each class."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the frames, at one threshold for each class."""

    dice: npt.NDArray[np.float64]  # (frames, classes)
    dice_of_nothing: float
    defects: int
    found: int
    clean_frames: int
    clean_alarms: int

    @property
    def found_part(self) -> float | None:
        return self.found / self.defects if self.defects else None

    @property
    def alarms_per_clean_frame(self) -> float | None:
        return self.clean_alarms / self.clean_frames if self.clean_frames else None


def fold_figures(
    comparisons: Sequence[Comparison], thresholds: Sequence[float], folds: Sequence[str]
) -> Folds | None:
    """Figures of each fold and their spread; None with fewer than two folds."""
    figures = []
    for name in dict.fromkeys(folds):
        chosen = [c for c, fold in zip(comparisons, folds, strict=True) if fold == name]
        part = _part(_tallies(chosen), thresholds)
        figures.append(
            Fold(
                name=name,
                frames=len(chosen),
                dice=float(part.dice.mean()),
                dice_of_nothing=part.dice_of_nothing,
                found=part.found_part,
                false_alarms_per_clean_frame=part.alarms_per_clean_frame,
            )
        )
    dice = _spread(figures, lambda fold: fold.dice)
    if dice is None:
        return None
    return Folds(
        folds=figures,
        dice=dice,
        found=_spread(figures, lambda fold: fold.found),
        false_alarms_per_clean_frame=_spread(figures, lambda fold: fold.false_alarms_per_clean_frame),
    )


def cross_tuned(
    comparisons: Sequence[Comparison], tune: Tune, folds: Sequence[str] | None = None
) -> CrossTuned | None:
    """Figures where each fold's thresholds are tuned on the other folds; without folds on two halves.

    None where that cannot be done: with one frame, or where a part has no clean frame to tune on.
    """
    names = folds if folds is not None else [str(n % _HALVES) for n in range(len(comparisons))]
    if len(set(names)) < _HALVES:
        names = [str(n % _HALVES) for n in range(len(comparisons))]
    parts = []
    for name in dict.fromkeys(names):
        judged = [c for c, fold in zip(comparisons, names, strict=True) if fold == name]
        others = [c for c, fold in zip(comparisons, names, strict=True) if fold != name]
        if not others:
            return None
        try:
            thresholds = tune(_tallies(others))
        except SettingsError:
            return None
        parts.append(_part(_tallies(judged), thresholds))
    defects, clean = sum(p.defects for p in parts), sum(p.clean_frames for p in parts)
    return CrossTuned(
        target=str(tune),
        parts=len(parts),
        dice=float(np.concatenate([part.dice for part in parts]).mean()),
        found=sum(p.found for p in parts) / defects if defects else None,
        false_alarms_per_clean_frame=sum(p.clean_alarms for p in parts) / clean if clean else None,
    )


def _tallies(comparisons: Sequence[Comparison]) -> list[Tally]:
    return [Tally.of(comparisons, class_id) for class_id in range(len(comparisons[0].dice))]


def _part(tallies: Sequence[Tally], thresholds: Sequence[float]) -> _Part:
    limits = [np.array([threshold], np.float32) for threshold in thresholds]
    pairs = list(zip(tallies, limits, strict=True))
    return _Part(
        dice=np.concatenate([tally.dice(limit) for tally, limit in pairs], axis=1),
        dice_of_nothing=float(np.mean([~tally.shown for tally in tallies])),
        defects=sum(tally.defects for tally in tallies),
        found=sum(int(above(tally.found_scores, limit)[0]) for tally, limit in pairs),
        clean_frames=tallies[0].clean_frames,
        clean_alarms=sum(int(above(tally.clean_alarm_scores, limit)[0]) for tally, limit in pairs),
    )


def _spread(folds: Sequence[Fold], figure: Callable[[Fold], float | None]) -> Spread | None:
    """Mean and sample standard deviation of a figure that at least two folds have."""
    values = [value for fold in folds if (value := figure(fold)) is not None]
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    return Spread(mean=float(np.mean(values)), standard_deviation=float(np.std(values, ddof=1)))
