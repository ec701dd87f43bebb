"""When two models found the same."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.detections import Detections
from edge.vision.export.agreement import iou, relative_error, unmatched
from edge.vision.exported.record import Tolerances

TOLERANCES = Tolerances(error=0.1, iou=0.5, score=0.1, agreement=1.0)
THRESHOLDS = np.array([0.5, 0.7], np.float32)

scores = st.floats(0, 1, width=32)
corners = st.integers(0, 50)


@st.composite
def _detections(draw: st.DrawFn) -> Detections:
    rows = draw(st.lists(st.tuples(corners, corners, scores, st.integers(0, 1)), max_size=8))
    return _of(*((x, y, x + 10, y + 10, score, kind) for x, y, score, kind in rows))


def _of(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    table = table[np.argsort(-table[:, 4], kind="stable")]
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), None)


@given(_detections())
def test_a_model_agrees_with_itself(found: Detections) -> None:
    """Every decided detection has an equal, and none but decided ones count."""
    decided, missing = unmatched(found, found, THRESHOLDS, TOLERANCES)
    assert missing == 0
    assert decided == int((found.scores > THRESHOLDS[found.classes] + TOLERANCES.score).sum())


@given(_detections(), _detections())
def test_no_detection_is_the_equal_of_two(found: Detections, others: Detections) -> None:
    """However many lie on one place, as many must be found there."""
    decided, missing = unmatched(found, others, THRESHOLDS, TOLERANCES)
    assert 0 <= missing <= decided <= len(found)
    assert decided - missing <= len(others)


@pytest.mark.parametrize(
    ("other", "missing"),
    [
        ((0, 0, 10, 10, 0.9, 0), 0),
        ((0, 0, 10, 6, 0.9, 0), 0),
        ((0, 0, 10, 4, 0.9, 0), 1),
        ((0, 0, 10, 10, 0.85, 0), 0),
        ((0, 0, 10, 10, 0.75, 0), 1),
        ((0, 0, 10, 10, 0.9, 1), 1),
    ],
    ids=["same", "overlaps", "elsewhere", "a little less sure", "much less sure", "another class"],
)
def test_an_equal_is_of_the_same_class_place_and_score(
    other: tuple[float, float, float, float, float, int], missing: int
) -> None:
    """Within the tolerances."""
    found = _of((0, 0, 10, 10, 0.9, 0))
    assert unmatched(found, _of(other), THRESHOLDS, TOLERANCES) == (1, missing)


def test_an_undecided_detection_need_not_be_found() -> None:
    """A little less sure, it would not have been reported."""
    assert unmatched(_of((0, 0, 10, 10, 0.55, 0)), _of(), THRESHOLDS, TOLERANCES) == (0, 0)


def test_overlap_is_intersection_over_union() -> None:
    """Also of boxes without any area."""
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(iou(box, others), [1, 1 / 3, 0, 0], rtol=1e-6)


def test_an_error_is_relative_to_the_size_of_what_is_expected() -> None:
    """By Euclidean norms; of nothing expected, any answer is infinitely far."""
    expected = torch.tensor([3.0, 4.0])
    assert relative_error(expected, expected) == 0
    assert relative_error(torch.tensor([3.0, 4.5]), expected) == pytest.approx(0.1)
    assert relative_error(torch.zeros(0, 4), torch.zeros(0, 4)) == 0


@pytest.mark.parametrize("wrong", [torch.tensor([math.nan, 4.0]), torch.tensor([3.0]), torch.ones(2, 1)])
def test_what_is_not_finite_or_of_another_shape_is_infinitely_wrong(wrong: torch.Tensor) -> None:
    """No tolerance lets it pass."""
    assert relative_error(wrong, torch.tensor([3.0, 4.0])) == math.inf
