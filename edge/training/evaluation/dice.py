"""Severstal's Dice of one class on one frame, for every score threshold at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.evaluation.regions import paste


def dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """2 |A and B| / (|A| + |B|), and 1 where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


@dataclass(frozen=True, slots=True)
class DiceProfile:
    """Pixels of the union of the k best detections, for every k; a threshold is a choice of k.

    ``scores``: (n,) float32, descending. ``areas_px`` and ``shared_px``: (n + 1,) pixels of the union of the
    first k masks, and those of them that lie on the truth.
    """

    scores: npt.NDArray[np.float32]
    areas_px: npt.NDArray[np.int64]
    shared_px: npt.NDArray[np.int64]
    truth_px: int

    @classmethod
    def of(cls, truth: Sequence[Mask], found: Sequence[Mask], scores: npt.NDArray[np.float32]) -> Self:
        """Compare masks of one frame; those that are found come best first.

        Each pixel is marked with the best detection that covers it, once for all thresholds.
        """
        x, y, width, height = _hull([*truth, *found])
        best = np.zeros((height, width), np.int32)
        for rank in range(len(found), 0, -1):
            paste(found[rank - 1], best, rank, x=x, y=y)
        wanted = np.zeros((height, width), np.bool_)
        for mask in truth:
            paste(mask, wanted, 1, x=x, y=y)
        return cls(
            scores=scores,
            areas_px=_covered(best.ravel(), len(found)),
            shared_px=_covered(best[wanted], len(found)),
            truth_px=int(wanted.sum()),
        )

    def at(self, thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(T,) Dice of the detections whose score is larger than each of (T,) thresholds."""
        kept = np.searchsorted(-self.scores, -thresholds, side="left")
        total = self.areas_px[kept] + self.truth_px
        return np.where(total == 0, 1.0, 2.0 * self.shared_px[kept] / np.maximum(total, 1))


def _covered(ranks: npt.NDArray[np.int32], detections: int) -> npt.NDArray[np.int64]:
    """(n + 1,) pixels that the first k detections cover; rank 0 is none."""
    counts = np.bincount(ranks, minlength=detections + 1)
    counts[0] = 0
    return np.asarray(counts.cumsum(), dtype=np.int64)


def _hull(masks: Sequence[Mask]) -> tuple[int, int, int, int]:
    """x, y, width, height of the smallest window around masks."""
    if not masks:
        return 0, 0, 0, 0
    x, y = min(m.x for m in masks), min(m.y for m in masks)
    return x, y, max(m.x + m.width for m in masks) - x, max(m.y + m.height for m in masks) - y
