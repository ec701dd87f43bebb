"""Embedding frames and drawing outlines."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.training.dataset import LabelledFrame
from edge.training.evaluation.record import RunLength, StoredDetection
from edge.training.report.pictures import embed, outline, predicted_shapes


def filled(path: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Fill a path by the even-odd rule, its lines included, as a browser that strokes it does."""
    polygons = [
        np.array([point.split() for point in part.rstrip("Z").split("L")], np.int32)
        for part in path.split("M")[1:]
    ]
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, polygons, 1)
    return canvas.astype(np.bool_)


@given(arrays.arrays(np.bool_, (9, 12)), st.integers(0, 3), st.integers(0, 3))
def test_an_outline_covers_its_mask(mask: npt.NDArray[np.bool_], x: int, y: int) -> None:
    """Whatever the mask's shape, each of its pixels lies within the path or on it."""
    whole = np.zeros((12, 15), np.bool_)
    whole[y : y + 9, x : x + 12] = mask
    assert not (whole & ~filled(outline(mask, x, y, 0.1), 12, 15)).any()


def test_a_hole_stays_open() -> None:
    """A ring has two paths, and its middle is not filled."""
    mask = np.ones((20, 20), np.bool_)
    mask[5:15, 5:15] = False
    path = outline(mask, 0, 0, 0.5)
    assert path.count("M") == 2
    assert not filled(path, 20, 20)[8:12, 8:12].any()


@pytest.mark.parametrize(("width", "height"), [(1600, 256), (4096, 4096), (200, 200), (9000, 3)])
def test_pictures_are_scaled_down_and_never_up(tmp_path: Path, width: int, height: int) -> None:
    """A page stays small whatever the camera's size; outlines go by the frame's own pixels."""
    file = tmp_path / "frame.png"
    cv2.imwrite(str(file), np.zeros((height, width), np.uint8))
    picture = embed(LabelledFrame(file, height, width))
    jpeg = base64.b64decode(re.sub(r"^data:image/jpeg;base64,", "", picture.data_uri))
    shown_height, shown_width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).shape
    assert (picture.width_px, picture.height_px) == (width, height)
    assert shown_width <= min(width, 1200)
    assert shown_width * shown_height <= 330_000
    assert shown_height == max(1, round(height * shown_width / width)) or height < 10


def test_a_detection_without_a_mask_is_its_box() -> None:
    """A model of boxes alone is drawn too; labels tell class and score."""
    shapes = predicted_shapes([detection(None)], ["pit"], 100)
    assert shapes[0].path == "M3 4h10v5h-10Z"
    assert shapes[0].label == "pit, score 0.88"


def test_a_detection_with_a_mask_is_its_outline() -> None:
    """Compressed run lengths are decoded."""
    whole = RunLength(size=(2, 3), counts="06")  # no pixel off, six on
    assert filled(predicted_shapes([detection(whole)], ["pit"], 100)[0].path, 2, 3).all()


def detection(segmentation: RunLength | None) -> StoredDetection:
    """A detection of the first class."""
    return StoredDetection(
        image_id=1,
        file_name="a.png",
        category_id=1,
        bbox=(3.2, 4.1, 10.0, 5.0),
        score=0.876,
        segmentation=segmentation,
    )
