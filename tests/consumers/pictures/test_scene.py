"""What a picture tells."""

from collections.abc import Callable

import numpy as np
import pytest

from consumers.palette import colour_of_class
from consumers.pictures import Caption, Scale, scene_of_detections, scene_of_inspection
from edge.contracts import Defect, FrameReference, Inspection, Mask
from edge.contracts.results import Box
from edge.vision import Detections


def test_an_inspected_frame_tells_where_on_the_strip_it_lies(
    make_inspection: Callable[..., Inspection], make_defect: Callable[..., Defect]
) -> None:
    """Header and axes carry line, camera, coil, side, position, model, and millimetres."""
    scene = scene_of_inspection(make_inspection(defects=1), [make_defect()])

    assert scene.caption == Caption(
        "line-1 / cam1",
        ("coil C0012", "top side", "12.000 to 12.051 m", "1 defect"),
        ("frame 7", "2025-11-23 12:30:15 UTC", "r18 1a2b3c4d5e6f"),
    )
    assert (scene.scale.x0, scene.scale.y0) == (100, 12_000)
    assert (scene.scale.pitch_x, scene.scale.pitch_y) == pytest.approx((0.2, 0.2))
    assert "mm" in scene.scale.x_title


def test_a_defect_is_marked_with_class_and_score(
    make_inspection: Callable[..., Inspection], make_defect: Callable[..., Defect]
) -> None:
    """The label carries class and score, the colour is the class's."""
    defect = make_defect()

    (mark,) = scene_of_inspection(make_inspection(defects=1), [defect]).marks

    assert mark.label == "defect_3 0.87"
    assert mark.colour == colour_of_class(2)
    assert (mark.box_px, mark.mask) == (defect.box_px, defect.mask)


def test_what_a_frame_did_not_tell_is_left_out(
    make_inspection: Callable[..., Inspection], make_reference: Callable[..., FrameReference]
) -> None:
    """Without coil, position and model, the header has no gaps and the axes count pixels."""
    frame = make_reference(7, coil=None, side=None, sequence=None)

    scene = scene_of_inspection(make_inspection(frame=frame, strip_mm=None, model=None), [])

    assert scene.caption == Caption("line-1 / cam1", ("no defects",), ("2025-11-23 12:30:15 UTC",))
    assert scene.scale == Scale()


@pytest.mark.parametrize("masks", [None, (Mask(x=1, y=2, width=1, height=1, counts=[0, 1]),)])
def test_detections_are_shown_in_pixels(masks: tuple[Mask, ...] | None) -> None:
    """A file's picture has its name as header and pixels at its axes, with masks or without."""
    detections = Detections(
        np.array([[1, 2, 3, 4]], np.float32), np.array([0.5], np.float32), np.array([1]), masks
    )

    scene = scene_of_detections(detections, ("a", "b"), title="strip.jpg")

    assert scene.caption == Caption("strip.jpg", ("1 defect",))
    assert scene.scale.x_title == "x, px"
    assert [(mark.label, mark.box_px) for mark in scene.marks] == [("b 0.50", Box(1, 2, 3, 4))]
    assert scene.marks[0].mask == (masks[0] if masks else None)
