"""Dice, recall, false alarms and thresholds on hand-made detections."""

import math

import numpy as np
import pytest

from edge.contracts.mask import Mask
from edge.training.evaluation.figures import box_iou, dice, evaluate, tune_thresholds
from edge.training.samples import Instance, Sample
from edge.vision.detections import Detections

IMAGE = np.zeros((64, 64), np.uint8)


def square(x: int, y: int = 0, size: int = 10) -> Mask:
    """A filled square."""
    return Mask.encode(np.ones((size, size), np.bool_), x=x, y=y)


def detections(*found: tuple[Mask, float, int]) -> Detections:
    """Detections of masks with scores and classes."""
    boxes = [(m.x, m.y, m.x + m.width, m.y + m.height) for m, _, _ in found]
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in found], np.float32),
        classes=np.array([class_id for _, _, class_id in found], np.int64),
        masks=tuple(mask for mask, _, _ in found),
    )


MARKED = Sample(IMAGE, (Instance(0, square(0)), Instance(0, square(30))))
CLEAN = Sample(IMAGE, ())


def test_dice_of_two_empty_masks_is_one() -> None:
    """Nothing to find and nothing found is right; half an overlap is 0.5."""
    nothing, one = np.zeros((4, 4), np.bool_), np.eye(4, dtype=np.bool_)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, one) == 0.0
    assert dice(np.array([[1, 1, 0]], np.bool_), np.array([[0, 1, 1]], np.bool_)) == 0.5


def test_box_iou() -> None:
    """Half of each box shared is a third of their union."""
    first, second = np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([[0.0, 5.0, 10.0, 15.0]])
    assert box_iou(first, second)[0, 0] == pytest.approx(1 / 3)


def test_finding_nothing_scores_on_clean_frames_alone() -> None:
    """One of two frames shows class 0, none class 1: three quarters of the pairs are right."""
    figures = evaluate([MARKED, CLEAN], [detections(), detections()], (0.5, 0.5))
    assert figures.dice == figures.dice_of_nothing == 0.75
    assert figures.classes[0].recall_iou50 == 0.0
    assert math.isnan(figures.classes[1].recall_iou50)


def test_hits_and_false_alarms_are_counted_above_the_threshold() -> None:
    """One of two defects is found; a clean frame has one alarm, another is too faint to count."""
    found = [
        detections((square(0), 0.9, 0), (square(30), 0.3, 0)),
        detections((square(5), 0.8, 0), (square(40), 0.2, 0)),
    ]
    (figures,) = evaluate([MARKED, CLEAN], found, (0.5,)).classes
    assert figures.recall_iou50 == 0.5
    assert figures.false_alarms_per_clean_frame == 1.0
    assert figures.dice_where_present == pytest.approx(2 * 100 / 300)
    assert figures.dice == pytest.approx((2 / 3 + 0.0) / 2)


def test_a_detection_of_another_class_is_no_hit() -> None:
    """Class 1 found where class 0 lies counts for neither."""
    figures = evaluate([MARKED], [detections((square(0), 0.9, 1))], (0.5, 0.5))
    assert figures.classes[0].recall_iou50 == 0.0
    assert figures.classes[1].dice == 0.0


def test_the_threshold_with_the_best_dice_is_chosen() -> None:
    """A true detection at 0.62 and a false one at 0.42: the threshold lies between them."""
    found = [detections((square(0), 0.62, 0), (square(30), 0.62, 0)), detections((square(5), 0.42, 0))]
    (threshold,) = tune_thresholds([MARKED, CLEAN], found, classes=1)
    assert 0.42 < threshold < 0.62
