"""From the frame to the model's input."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.native.config import Input
from edge.vision.native.preprocess import resize, resized_size, to_input

Frames = Callable[..., npt.NDArray[np.uint8]]


@pytest.mark.parametrize(
    ("size", "limits", "expected"),
    [
        ((256, 1600), (800, 1333), (213, 1333)),
        ((480, 640), (800, 1333), (800, 1067)),
        ((640, 480), (800, 1333), (1067, 800)),
        ((500, 500), (800, 1333), (800, 800)),
        ((256, 1600), (256, 1600), (256, 1600)),
        ((300, 700), (256, 1600), (256, 597)),
        ((256, 1600), (0, 1333), (256, 1600)),
        ((1, 4000), (256, 1600), (1, 1600)),
    ],
)
def test_sizes_are_those_of_resize_shortest_edge(
    size: tuple[int, int], limits: tuple[int, int], expected: tuple[int, int]
) -> None:
    """The shorter side is set, unless the longer one grows too long; 0 leaves the frame alone."""
    config = Input(min_size_test=limits[0], max_size_test=limits[1])
    assert resized_size(*size, config) == expected


@given(height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_the_longer_side_never_exceeds_its_limit(height: int, width: int) -> None:
    """And no side vanishes."""
    seen = resized_size(height, width, Input())
    assert min(seen) >= 1
    assert max(seen) <= 1333
    assert min(seen) <= 800


def test_a_frame_of_the_right_size_is_not_touched(frame: Frames) -> None:
    """The very same array."""
    image = frame(20, 30)
    assert resize(image, (20, 30)) is image


def test_grey_and_colour_are_resized_alike(frame: Frames) -> None:
    """A grey frame is a colour frame of equal channels, at a third of the work."""
    grey = frame(40, 50)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(resize(colour, (25, 31))[:, :, 1], resize(grey, (25, 31)))


def test_shrinking_averages_instead_of_skipping() -> None:
    """Pillow's bilinear filter widens as it shrinks: a checkerboard becomes grey."""
    board = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
    assert np.ptp(resize(board, (16, 16))[2:-2, 2:-2].astype(int)) <= 1


@pytest.mark.parametrize(("rgb", "expected"), [(False, [1, 2, 3]), (True, [3, 2, 1])])
def test_channels_come_in_the_config_s_order(rgb: bool, expected: list[int]) -> None:
    """Frames are BGR; a model may want RGB."""
    image = np.full((4, 5, 3), (1, 2, 3), np.uint8)
    tensor = to_input(image, (4, 5), rgb=rgb)
    assert tensor.shape == (3, 4, 5)
    assert tensor[:, 0, 0].tolist() == expected


def test_a_read_only_frame_is_taken_and_left_as_it_is() -> None:
    """Frames that lie in a Kafka record's bytes may not be written to."""
    image = np.frombuffer(bytes(range(20)), np.uint8).reshape(4, 5)
    to_input(image, (4, 5), rgb=False).zero_()
    assert image[3, 4] == 19


def test_views_of_larger_arrays_are_taken(frame: Frames) -> None:
    """A flipped or cropped frame needs no copy by the caller."""
    image = frame(40, 50, 3)[::-1, 5:45]
    np.testing.assert_array_equal(to_input(image, (40, 40), rgb=True)[0].numpy(), image[:, :, 2])
