"""Two models' detections on one frame."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.training.evaluation.differences import SAME_IOU, above, difference
from edge.training.evaluation.regions import box_iou
from edge.vision.detections import Detections

Box = tuple[float, float, float, float]


def detections(*boxes: Box, classes: tuple[int, ...] = (), scores: tuple[float, ...] = ()) -> Detections:
    """Detections without masks; of class 0 and score 0.5 unless told otherwise."""
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores or [0.5] * count, np.float32),
        np.array(classes or [0] * count, np.int64),
        None,
    )


_EDGES = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(21, 40)] * 2)
_FOUND = st.lists(st.tuples(_EDGES, st.integers(0, 1)), max_size=6).map(
    lambda found: detections(*[box for box, _ in found], classes=tuple(c for _, c in found))
)


def test_the_same_defect_is_told_by_class_and_place() -> None:
    """What overlaps enough is one; another class at the same place is not."""
    first = detections((0, 0, 10, 10), (50, 0, 60, 10), classes=(0, 1), scores=(0.9, 0.8))
    second = detections((0, 0, 10, 12), (50, 0, 60, 10), classes=(0, 0), scores=(0.8, 0.8))

    found = difference(first, second)

    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.edge_px) == (0, 0, 2.0)
    assert round(pair.score, 6) == -0.1
    assert (found.first_alone, found.second_alone, found.count) == ((1,), (1,), 2)


def test_the_closest_are_paired_first() -> None:
    """A box that two others overlap goes to the one that overlaps it more."""
    found = difference(detections((0, 0, 10, 10)), detections((0, 0, 10, 14), (0, 0, 10, 11)))
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1)]
    assert found.second_alone == (0,)


@given(_FOUND)
def test_a_model_does_not_differ_from_itself(found: Detections) -> None:
    """Every detection has its counterpart, with the same score and box."""
    same = difference(found, found)
    assert same.count == 0
    assert all(pair.score == pair.edge_px == 0 for pair in same.pairs)


@given(_FOUND, _FOUND)
def test_every_detection_is_counted_once(first: Detections, second: Detections) -> None:
    """Paired or alone; what is left has no counterpart that is free; the order of models does not matter."""
    found = difference(first, second)
    assert sorted([*(p.first for p in found.pairs), *found.first_alone]) == list(range(len(first)))
    assert sorted([*(p.second for p in found.pairs), *found.second_alone]) == list(range(len(second)))
    iou = box_iou(first.boxes.astype(np.float64), second.boxes.astype(np.float64))
    free = [
        (a, b)
        for a in found.first_alone
        for b in found.second_alone
        if first.classes[a] == second.classes[b] and iou[a, b] >= SAME_IOU
    ]
    assert free == []


def test_thresholds_are_those_of_each_class() -> None:
    """What does not exceed its own is left out, masks along with it."""
    found = detections((0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3), classes=(0, 1, 1), scores=(0.5, 0.5, 0.4))
    assert above(found, [0.6, 0.4]).boxes.tolist() == [[1, 1, 2, 2]]
