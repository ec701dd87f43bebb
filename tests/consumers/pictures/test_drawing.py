"""The drawn picture."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from consumers.pictures import Caption, Mark, Scale, Scene, draw, encode_jpeg
from edge.contracts import Box, Mask

BLUE = (86, 180, 233)
NOTHING = Scene((), Scale(), Caption("cam1"))


def steel(height: int, width: int, channels: int | None = None) -> npt.NDArray[np.uint8]:
    """Return a grey or a colour image of one brightness."""
    return np.full((height, width) if channels is None else (height, width, channels), 90, np.uint8)


def with_mark(mask: Mask | None, box: Box) -> Scene:
    """Return a scene of one defect."""
    return Scene((Mark("defect_1 0.90", BLUE, box, mask),), Scale(), Caption("cam1"))


def bluish(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Tell which pixels have the defect's hue."""
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return blue - red > 20


def test_the_frame_is_shown_pixel_for_pixel() -> None:
    """Around a 1600 x 256 frame there are margins, and within them its very pixels."""
    frame = np.random.default_rng(1).integers(0, 255, (256, 1600), np.uint8)

    picture = draw(frame, NOTHING)

    assert picture.dtype == np.uint8
    match = cv2.matchTemplate(picture[..., 0], frame, cv2.TM_SQDIFF)
    top, left = np.unravel_index(match.argmin(), match.shape)
    assert (picture[top : top + 256, left : left + 1600] == frame[..., None]).all()


def test_a_colour_frame_keeps_its_colours() -> None:
    """BGR in, RGB out."""
    frame = steel(256, 1600, channels=3)
    frame[..., 0] = 200

    assert (draw(frame, NOTHING) == (90, 90, 200)).all(axis=-1).sum() > 250 * 1500


def test_a_mask_is_filled_and_outlined() -> None:
    """The fill lets the steel shine through; outline, box and label have the class's colour."""
    mask = Mask.encode(np.ones((100, 100), bool), x=500, y=80)

    picture = draw(steel(256, 1600), with_mark(mask, Box(500, 80, 600, 180)))

    assert (picture == BLUE).all(axis=-1).sum() > 300
    assert 100 * 100 < bluish(picture).sum() < 100 * 100 + 110 * 30


def test_without_a_mask_there_is_the_box() -> None:
    """A model without masks still shows where its defects are, and nothing is filled."""
    picture = draw(steel(256, 1600), with_mark(None, Box(500, 80, 700, 230)))

    assert 2 * (200 + 150) < bluish(picture).sum() < 200 * 150 / 2


def test_small_frames_are_enlarged() -> None:
    """A 200 x 200 frame becomes large enough to carry labels."""
    assert draw(steel(200, 200), NOTHING).shape[1] > 800


@pytest.mark.parametrize(
    ("box", "mask"),
    [
        (Box(-5, -5, 1700, 300), None),
        (Box(0, 0, 1600, 256), Mask.encode(np.ones((256, 1600), bool))),
        (Box(10, 10, 10, 10), Mask.encode(np.zeros((0, 0), bool), x=10, y=10)),
        (Box(10, 10, 11, 11), Mask.encode(np.ones((1, 1), bool), x=10, y=10)),
        (Box(1700, 300, 1800, 400), Mask.encode(np.ones((100, 100), bool), x=1700, y=300)),
        (Box(-90, -90, -50, -50), None),
        (Box(1590, 250, 1610, 260), Mask.encode(np.ones((10, 20), bool), x=1590, y=250)),
    ],
)
def test_odd_boxes_and_masks_are_drawn(box: Box, mask: Mask | None) -> None:
    """Boxes over the edge, masks of the whole frame, of one pixel, of none: a picture comes out."""
    for frame in (steel(256, 1600), steel(64, 200)):
        assert draw(frame, with_mark(mask, box)).shape[2] == 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 20)])
def test_odd_frames_are_drawn(shape: tuple[int, int]) -> None:
    """Frames of any shape get their header and axes."""
    assert draw(steel(*shape), NOTHING).shape[0] > shape[0]


def test_the_jpeg_keeps_size_and_colours() -> None:
    """What is written to disk is the picture, its thin coloured lines not washed out."""
    picture = draw(steel(256, 1600), with_mark(None, Box(500, 80, 700, 230)))

    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(picture), np.uint8), cv2.IMREAD_COLOR_RGB)

    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 2
