"""What defects are taken for, and what is taken for defects."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.training.evaluation.comparison import FOUND_IOU, Comparison
from edge.training.evaluation.record import Confusion

NOTHING = "nothing"


def confusion(
    comparisons: Sequence[Comparison], thresholds: Sequence[float], class_names: Sequence[str]
) -> Confusion:
    """Count pairs of defect and detection by their classes; see `Confusion` for who belongs together."""
    counts = np.zeros((len(class_names) + 1, len(class_names) + 1), np.int64)
    limits = np.asarray(thresholds, np.float32)
    for comparison in comparisons:
        _count(comparison, limits, counts)
    return Confusion(names=[*class_names, NOTHING], counts=counts.tolist())


def _count(
    comparison: Comparison, thresholds: npt.NDArray[np.float32], counts: npt.NDArray[np.int64]
) -> None:
    found, nothing = comparison.found, len(thresholds)
    iou = comparison.iou.copy()
    for index in np.flatnonzero(found.scores > thresholds[found.classes]):
        predicted = int(found.classes[index])
        best = int(iou[:, index].argmax()) if len(iou) else -1
        if best >= 0 and iou[best, index] >= FOUND_IOU:
            counts[comparison.defect_classes[best], predicted] += 1
            iou[best] = -1.0  # taken
        else:
            counts[nothing, predicted] += 1
    missed = comparison.defect_classes[~(iou < 0).any(axis=1)]
    np.add.at(counts[:, nothing], missed, 1)
