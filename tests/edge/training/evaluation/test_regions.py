"""Run lengths, boxes and their overlaps."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from edge.training.evaluation.regions import box_iou, mask_iou, mask_of_box, whole_frame_runs
from edge.training.samples import Sample

law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@law
@given(seed=st.integers(0, 10_000))
def test_run_lengths_are_those_of_the_whole_frame(chance_frames: Callable, seed: int) -> None:
    """The same bytes as pycocotools makes of the frame with the mask on it."""
    frames, _ = chance_frames(seed)
    for sample in frames:
        for instance in sample.instances:
            whole = Sample(sample.image, (instance,)).mask_of_class(instance.class_id)
            expected = coco_mask.encode(np.asfortranarray(whole, dtype=np.uint8))
            assert whole_frame_runs(instance.mask, *sample.image.shape) == expected


@law
@given(seed=st.integers(0, 10_000))
def test_mask_iou_is_that_of_whole_frames(chance_frames: Callable, seed: int) -> None:
    """Pixels of both by pixels of either."""
    frames, _ = chance_frames(seed)
    for sample in frames:
        wholes = [Sample(sample.image, (i,)).mask_of_class(i.class_id) for i in sample.instances]
        runs = [whole_frame_runs(i.mask, *sample.image.shape) for i in sample.instances]
        wanted = [[(a & b).sum() / (a | b).sum() for b in wholes] for a in wholes]
        np.testing.assert_allclose(mask_iou(runs, runs), np.reshape(wanted, (len(runs), len(runs))))


def test_box_iou() -> None:
    """Half of each box shared is a third of their union."""
    first, second = np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([[0.0, 5.0, 10.0, 15.0]])
    assert box_iou(first, second)[0, 0] == pytest.approx(1 / 3)


def test_nothing_overlaps_with_nothing() -> None:
    """No regions on one side: a matrix without rows or columns."""
    assert mask_iou([], []).shape == (0, 0)


def test_a_box_becomes_a_mask_within_the_frame() -> None:
    """Rounded to whole pixels, cut at the edges; beyond them nothing is left."""
    mask = mask_of_box(np.array([-3.0, 2.4, 4.6, 99.0]), 20, 30)
    assert (mask.x, mask.y, mask.width, mask.height, mask.area_px) == (0, 2, 5, 18, 90)
    assert mask_of_box(np.array([40.0, 0.0, 50.0, 5.0]), 20, 30).area_px == 0
