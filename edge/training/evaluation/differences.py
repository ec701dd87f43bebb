"""What two models say of the same frame, held against each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.training.evaluation.regions import box_iou
from edge.vision.detections import Detections

SAME_IOU = 0.5
"""Detections of one class whose boxes overlap so much are the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same defect in both: its indices there, and how far scores and edges (px) lie apart."""

    first: int
    second: int
    score: float
    edge_px: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One frame: what both found, and the indices of what one of them found alone."""

    pairs: tuple[Pair, ...]
    first_alone: tuple[int, ...]
    second_alone: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many detections have no counterpart."""
        return len(self.first_alone) + len(self.second_alone)


def difference(first: Detections, second: Detections) -> Difference:
    """Pair the detections of one frame, class ids meaning the same in both.

    The most overlapping boxes are paired first, each box once.
    """
    iou = box_iou(first.boxes.astype(np.float64), second.boxes.astype(np.float64))
    iou[first.classes[:, None] != second.classes[None, :]] = 0.0
    pairs: list[Pair] = []
    while iou.size and iou.max() >= SAME_IOU:
        one, other = (int(index) for index in np.unravel_index(iou.argmax(), iou.shape))
        pairs.append(
            Pair(
                one,
                other,
                score=float(second.scores[other] - first.scores[one]),
                edge_px=float(np.abs(second.boxes[other] - first.boxes[one]).max()),
            )
        )
        iou[one, :] = iou[:, other] = 0.0
    return Difference(
        pairs=tuple(pairs),
        first_alone=_rest(len(first), [pair.first for pair in pairs]),
        second_alone=_rest(len(second), [pair.second for pair in pairs]),
    )


def above(found: Detections, thresholds: Sequence[float]) -> Detections:
    """Keep what exceeds the threshold of its class."""
    kept = np.flatnonzero(found.scores > np.asarray(thresholds, np.float32)[found.classes])
    return replace(
        found,
        boxes=found.boxes[kept],
        scores=found.scores[kept],
        classes=found.classes[kept],
        masks=None if found.masks is None else tuple(found.masks[index] for index in kept),
    )


def _rest(count: int, taken: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(set(range(count)) - set(taken)))
