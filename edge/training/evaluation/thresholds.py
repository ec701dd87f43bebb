"""Score thresholds of the classes: for Dice, for F1 of defects, or for a limit of false alarms."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.errors import SettingsError
from edge.training.evaluation.tally import Tally, above

Target = Literal["dice", "f1", "false-alarms"]
DEFAULT_MOST_FALSE_ALARMS = 0.3

# No higher: a class that the model is never sure of would not be reported at all, which is the best Dice of a
# weak model and no use to an operator; on real strip, thresholds up to 0.95 were also worse on the folds that
# had not chosen them. No finer: a narrower peak belongs to the frames, not to the model.
GRID = np.round(np.arange(0.05, 0.86, 0.05), 2).astype(np.float32)
# A limit that somebody has set is to be met, even by silence.
_FINE_GRID = np.round(np.arange(0.05, 1.0, 0.01), 2).astype(np.float32)
_AS_GOOD = 1e-4


def tune(
    tallies: Sequence[Tally], target: Target, *, most_false_alarms: float = DEFAULT_MOST_FALSE_ALARMS
) -> list[float]:
    """Choose a threshold for each class.

    Args:
        tallies: one for each class, of the same frames.
        target: ``dice``: the best mean Dice; ``f1``: the best harmonic mean of the part of defects that is
            found and the part of detections that is right, both at IoU 0.3; ``false-alarms``: the most
            defects found with no more false alarms than allowed.
        most_false_alarms: allowed for each clean frame, all classes together.

    Raises:
        SettingsError: there are no clean frames to count false alarms on.
    """
    if target == "false-alarms":
        return _within_limit(tallies, most_false_alarms)
    quality = _mean_dice if target == "dice" else _f1
    return [_best(quality(tally)) for tally in tallies]


def _best(values: npt.NDArray[np.float64]) -> float:
    """The best threshold of the grid; the middle one where several are as good."""
    best = np.flatnonzero(values >= values.max() - _AS_GOOD)
    return _plain(GRID[int(best[len(best) // 2])])


def _mean_dice(tally: Tally) -> npt.NDArray[np.float64]:
    return np.asarray(tally.dice(GRID).mean(axis=0))


def _f1(tally: Tally) -> npt.NDArray[np.float64]:
    hits, alarms = above(tally.hit_scores, GRID), above(tally.alarm_scores, GRID)
    precision = hits / np.maximum(hits + alarms, 1)
    recall = above(tally.found_scores, GRID) / max(tally.defects, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    # As with Dice: nothing to find and nothing found is right.
    return np.asarray(np.where((tally.defects == 0) & (hits + alarms == 0), 1.0, f1))


def _within_limit(tallies: Sequence[Tally], most_false_alarms: float) -> list[float]:
    """The most defects found for a budget of false alarms, which classes share as it pays best.

    Exact: class by class, the best thresholds for every number of alarms that may have been spent so far.
    """
    clean_frames = tallies[0].clean_frames
    if not clean_frames:
        raise SettingsError(
            "thresholds cannot be tuned for false alarms: there is no clean frame to count on"
        )
    budget = int(most_false_alarms * clean_frames + 1e-9)
    # best[alarms spent] = (defects found, thresholds so far)
    best: dict[int, tuple[int, list[float]]] = {0: (0, [])}
    for tally in tallies:
        best = _with_class(best, tally, budget)
    spent = max(best, key=lambda alarms: (best[alarms][0], -alarms))
    return best[spent][1]


def _with_class(
    best: dict[int, tuple[int, list[float]]], tally: Tally, budget: int
) -> dict[int, tuple[int, list[float]]]:
    alarms = above(tally.clean_alarm_scores, _FINE_GRID)
    found = above(tally.found_scores, _FINE_GRID)
    extended: dict[int, tuple[int, list[float]]] = {}
    for spent, (before, thresholds) in best.items():
        # From the highest threshold down: of several that are as good the highest stays.
        for index in range(len(_FINE_GRID) - 1, -1, -1):
            cost, value = spent + int(alarms[index]), before + int(found[index])
            if cost <= budget and (cost not in extended or value > extended[cost][0]):
                extended[cost] = value, [*thresholds, _plain(_FINE_GRID[index])]
    return extended


def _plain(threshold: np.float32) -> float:
    return round(float(threshold), 2)
