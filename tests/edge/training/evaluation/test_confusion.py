"""Who is taken for whom, and whether scores are probabilities."""

from collections.abc import Callable

import numpy as np
import pytest

from edge.training.evaluation.average_precision import Match
from edge.training.evaluation.calibration import calibration
from edge.training.evaluation.comparison import compare_all
from edge.training.evaluation.confusion import confusion
from edge.training.evaluation.truth import truths_of


def test_each_defect_is_taken_once_by_the_best_score(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """A pit is called a scratch with more certainty than a pit; one is missed; one is invented."""
    frames = [frame((square(0), 0), (square(20), 0))]
    found = [detections((square(0), 0.9, 1), (square(1), 0.8, 0), (square(40), 0.7, 1), (square(20), 0.2, 0))]
    comparisons = compare_all(truths_of(frames), found, classes=2, has_masks=True)
    result = confusion(comparisons, (0.5, 0.5), ("pit", "scratch"))
    assert result.names == ["pit", "scratch", "nothing"]
    assert result.counts == [[0, 1, 1], [0, 0, 0], [1, 1, 0]]


def test_the_expected_calibration_error_by_hand() -> None:
    """Three at 0.75 of which one is right, one at 0.15 that is wrong: (3 |1/3 - 0.75| + 0.15) / 4."""
    match = Match(scores=np.array([0.75, 0.75, 0.75, 0.15]), right=np.array([True, False, False, False]))
    result = calibration([match])
    assert result.expected_error == pytest.approx((3 * (0.75 - 1 / 3) + 0.15) / 4)
    assert [(b.low, b.high, b.count) for b in result.bins if b.count] == [(0.1, 0.2, 1), (0.7, 0.8, 3)]
    assert len(result.bins) == 10


def test_bins_hold_their_upper_edge() -> None:
    """Scores of 0 and 1 have a bin too."""
    match = Match(scores=np.array([1.0, 0.5, 0.0]), right=np.array([True, True, False]))
    assert [b.count for b in calibration([match]).bins] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]
