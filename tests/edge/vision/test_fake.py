"""The runtime without a model."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InferenceError
from edge.vision.fake import FakeRuntime

Frames = Callable[..., npt.NDArray[np.uint8]]


def test_the_same_picture_always_has_the_same_defects(frame: Frames) -> None:
    """Two runtimes answer one picture alike, alone or among others."""
    alone = FakeRuntime(defects_per_frame=3).infer([frame(40, 60)])[0]
    among = FakeRuntime(defects_per_frame=3).infer([frame(30, 30), frame(40, 60), frame(40, 60, 3)])[1]
    np.testing.assert_array_equal(alone.boxes, among.boxes)
    np.testing.assert_array_equal(alone.scores, among.scores)
    np.testing.assert_array_equal(alone.classes, among.classes)
    assert alone.masks == among.masks


def test_another_picture_has_other_defects(frame: Frames) -> None:
    """One changed pixel moves the defects."""
    changed = frame(40, 60)
    changed[0, 0] ^= 1
    first, second = FakeRuntime().infer([frame(40, 60), changed])
    assert not np.array_equal(first.scores, second.scores)


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    defects=st.integers(0, 5),
)
def test_defects_lie_inside_the_picture_and_best_come_first(height: int, width: int, defects: int) -> None:
    """Whatever the shape: as many as asked for, inside the frame, scores descending, masks in boxes."""
    found = FakeRuntime(defects_per_frame=defects).infer([np.zeros((height, width), np.uint8)])[0]
    assert len(found) == len(found.boxes) == len(found.classes) == defects
    assert found.masks is not None
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, 2:] <= (width, height)).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    for box, mask in zip(found.boxes, found.masks, strict=True):
        assert (mask.x, mask.y, mask.x + mask.width, mask.y + mask.height) == tuple(box)
        assert mask.area_px > 0


def test_a_model_without_masks_can_be_played(frame: Frames) -> None:
    """masks=False gives None, as a Faster R-CNN would."""
    assert FakeRuntime(masks=False).infer([frame(20, 20)])[0].masks is None


def test_the_delay_counts_batches(frame: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call takes the delay once, however many frames it is for."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    FakeRuntime(delay_ms_per_batch=20).infer([frame(8, 8)] * 4)
    FakeRuntime().infer([frame(8, 8)])
    assert slept == [pytest.approx(0.020)]


def test_a_delay_of_each_frame_adds_up(frame: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a batch can depend on its size, as a model's does."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    FakeRuntime(delay_ms_per_batch=20, delay_ms_per_frame=5).infer([frame(8, 8)] * 4)
    assert slept == [pytest.approx(0.040)]


def test_an_empty_call_gives_an_empty_answer() -> None:
    """No images in, no entries out."""
    assert FakeRuntime().infer([]) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), np.float32),
    ],
)
def test_what_is_no_image_is_refused(image: npt.NDArray[np.uint8]) -> None:
    """Wrong rank, channels, size and type are named."""
    with pytest.raises(InferenceError, match="neither"):
        FakeRuntime().infer([image])
