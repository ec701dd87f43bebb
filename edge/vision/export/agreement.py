"""Whether two models found the same, in frames and in graphs."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from edge.vision.detections import Detections
from edge.vision.exported.record import Tolerances

_SMALLEST = 1e-30  # in place of 0 below a fraction


def relative_error(output: Tensor, expected: Tensor) -> float:
    """Return |output - expected| / |expected|, Euclidean; infinite where something is not finite."""
    if output.shape != expected.shape or not output.isfinite().all():
        return float("inf")
    difference = float((output.double() - expected.double()).norm())
    return difference / max(float(expected.double().norm()), _SMALLEST)


def unmatched(
    found: Detections, others: Detections, thresholds: npt.NDArray[np.float32], tolerances: Tolerances
) -> tuple[int, int]:
    """Count the detections that are decided, and those of them for which the others have no equal.

    Decided are those whose score exceeds their class's threshold by more than the tolerance: the same, a
    little less sure, would still have been reported. An equal is of the same class, overlaps by the IoU that
    the tolerances ask for, and differs in score by no more than they allow; none is an equal twice.

    Args:
        found: the detections to count, all above the thresholds.
        others: those of the other model, also below the thresholds.
        thresholds: (K,) of the classes.
        tolerances: what the same is.
    """
    free = np.ones(len(others.scores), np.bool_)
    decided = found.scores > thresholds[found.classes] + tolerances.score
    missing = 0
    for i in np.flatnonzero(decided):
        same = free & (others.classes == found.classes[i])
        same &= np.abs(others.scores - found.scores[i]) <= tolerances.score
        overlaps = np.where(same, iou(found.boxes[i], others.boxes), -1)
        best = int(np.argmax(overlaps)) if len(overlaps) else -1
        if best < 0 or overlaps[best] < tolerances.iou:
            missing += 1
        else:
            free[best] = False
    return int(decided.sum()), missing


def iou(box: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the intersection over union of a box (4,) with each of others (N, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - common
    return np.asarray(common / np.maximum(union, _SMALLEST), np.float32)
