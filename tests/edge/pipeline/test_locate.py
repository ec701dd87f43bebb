"""From pixels to millimetres of strip."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import (
    Box,
    FrameMetadata,
    FrameOrigin,
    FrameReference,
    Mask,
    ModelReference,
    StripEdges,
)
from edge.pipeline.locate import locate_defects, measured_from, strip_shown, to_millimetres
from edge.vision.detections import Detections

FRAME = FrameMetadata(
    line="line-1",
    camera="cam1",
    coil="C-1",
    side="top",
    sequence=3,
    position_mm=1000.0,
    offset_mm=800.0,
    pitch_x_mm=0.5,
    pitch_y_mm=0.25,
    captured_at=datetime(2026, 5, 4, tzinfo=UTC),
    content_type="image/jpeg",
)
REFERENCE = FrameReference.of(FrameOrigin("frames.cam1", 0, 3), FRAME)
MODEL = ModelReference("m", "1")


def test_x_is_across_the_strip_and_y_along_the_coil() -> None:
    """Each axis has its own origin and its own pitch."""
    assert to_millimetres(Box(10, 20, 30, 60), FRAME) == Box(805.0, 1005.0, 815.0, 1015.0)


@given(split=st.integers(1, 255), pitch=st.floats(0.01, 10), position=st.floats(-1e6, 1e6))
def test_adjacent_frames_leave_no_gap(split: int, pitch: float, position: float) -> None:
    """Where one frame's strip ends the next one's begins, so every millimetre is shown by a frame."""
    first = FrameMetadata(**{**_fields(), "pitch_y_mm": pitch, "position_mm": position})
    second = FrameMetadata(**{**_fields(), "pitch_y_mm": pitch, "position_mm": position + split * pitch})
    assert strip_shown(1600, split, first).y1 == pytest.approx(strip_shown(1600, 256, second).y0)


@pytest.mark.parametrize(
    ("edges", "x0", "x1"),
    [
        (StripEdges(operator_px=200), 0.0, 700.0),
        (StripEdges(drive_px=1000), 800.0, 1300.0),
        (StripEdges(operator_px=200, drive_px=1000), 0.0, 400.0),
        (StripEdges(), 800.0, 1600.0),
    ],
)
def test_x_is_measured_from_the_operator_side_edge_where_it_is_seen(
    edges: StripEdges, x0: float, x1: float
) -> None:
    """Its column becomes 0 mm; the drive-side edge tells where the strip ends, and not where it began."""
    shown = strip_shown(1600, 256, measured_from(edges, FRAME), edges)
    assert (shown.x0, shown.x1) == (x0, x1)


def test_a_detection_becomes_a_defect() -> None:
    """Class, score, box, area and mask arrive, in pixels and in millimetres, with a deterministic id."""
    detections = Detections(
        boxes=np.array([[10, 20, 30, 60]], np.float32),
        scores=np.array([0.75], np.float32),
        classes=np.array([1]),
        masks=(Mask.encode(np.ones((40, 20), np.bool_), x=10, y=20),),
    )
    (defect,) = locate_defects(detections, FRAME, REFERENCE, MODEL, ("scratch", "scale"))
    assert (defect.id, defect.class_name, defect.score) == ("frames.cam1:0:3#0", "scale", 0.75)
    assert defect.box_mm == Box(805.0, 1005.0, 815.0, 1015.0)
    assert (defect.area_px, defect.area_mm2) == (800, 100.0)
    assert defect.mask == detections.masks[0]  # type: ignore[index] - given three lines above


def test_without_masks_the_box_gives_the_area() -> None:
    """A Faster R-CNN's defects have an area, too."""
    detections = Detections(
        boxes=np.array([[0, 0, 4, 2]], np.float32),
        scores=np.array([0.5], np.float32),
        classes=np.array([0]),
        masks=None,
    )
    (defect,) = locate_defects(detections, FRAME, REFERENCE, MODEL, ("scratch",))
    assert (defect.mask, defect.area_px, defect.area_mm2) == (None, 8, 1.0)


def _fields() -> dict[str, object]:
    return {name: getattr(FRAME, name) for name in FRAME.__struct_fields__}
