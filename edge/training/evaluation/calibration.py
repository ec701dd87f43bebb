"""Whether scores are probabilities: reliability by bins, and the expected calibration error."""

import numpy as np
import numpy.typing as npt

from edge.training.evaluation.average_precision import Match
from edge.training.evaluation.record import Calibration, CalibrationBin

BINS = 10


def calibration(matches: list[Match]) -> Calibration:
    """Bin all detections by score; C. Guo et al., "On Calibration of Modern Neural Networks" (2017)."""
    scores = np.concatenate([np.zeros(0), *(match.scores for match in matches)])
    right = np.concatenate([np.zeros(0, np.bool_), *(match.right for match in matches)])
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Bins are open below; a score of 0 belongs to the first all the same.
    numbers = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, BINS - 1)
    bins = [
        _bin(float(edges[n]), float(edges[n + 1]), scores[numbers == n], right[numbers == n])
        for n in range(BINS)
    ]
    return Calibration(bins=bins, expected_error=_expected_error(bins, len(scores)))


def _bin(
    low: float, high: float, scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> CalibrationBin:
    return CalibrationBin(
        low=round(low, 2),
        high=round(high, 2),
        count=len(scores),
        mean_score=float(scores.mean()) if len(scores) else None,
        precision=float(right.mean()) if len(scores) else None,
    )


def _expected_error(bins: list[CalibrationBin], detections: int) -> float | None:
    if not detections:
        return None
    gaps = [
        b.count * abs(b.precision - b.mean_score)
        for b in bins
        if b.precision is not None and b.mean_score is not None
    ]
    return sum(gaps) / detections
