"""What a model answers is believed only if it can be right."""

from dataclasses import replace

import numpy as np
import pytest

from edge.contracts.mask import Mask
from edge.errors import InferenceError
from edge.pipeline.answers import check_answer, check_count
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
CLASSES = FakeRuntime().class_names


def answer() -> Detections:
    """Two sound detections on the picture."""
    (found,) = FakeRuntime(defects_per_frame=2).infer([PICTURE])
    return found


def with_box(*box: float) -> Detections:
    """The same, the second box another one."""
    boxes = answer().boxes.copy()
    boxes[1] = box
    return replace(answer(), boxes=boxes)


def with_score(score: float) -> Detections:
    """The same, the second score another one."""
    return replace(answer(), scores=np.array([0.9, score], np.float32))


def with_class(class_id: int) -> Detections:
    """The same, the second class another one."""
    return replace(answer(), classes=np.array([0, class_id], np.int64))


def with_mask(**changes: object) -> Detections:
    """The same, the second mask another one."""
    whole = {"x": 0, "y": 0, "width": 96, "height": 64, "counts": [0, 96 * 64]}
    first = (answer().masks or ())[0]
    return replace(answer(), masks=(first, Mask(**whole | changes)))  # type: ignore[arg-type] # values of tests


def check(found: Detections) -> None:
    """Check what was found on the picture."""
    check_answer(found, PICTURE, CLASSES)


@pytest.mark.parametrize(
    "found",
    [
        answer(),
        replace(answer(), masks=None),
        FakeRuntime(defects_per_frame=0).infer([PICTURE])[0],
        with_box(0, 0, 96, 64),
        with_box(-0.5, -0.5, 96.5, 64.5),
        with_box(10, 10, 10, 10),
        with_score(0),
        with_score(1),
        with_class(3),
        with_mask(),
    ],
    ids=["sound", "no masks", "nothing", "whole", "rounded", "a point", "0", "1", "last class", "whole mask"],
)
def test_what_can_be_right_is_believed(found: Detections) -> None:
    """Up to the edges of what is allowed."""
    check(found)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (with_box(np.nan, 0, 10, 10), r"detection 1 of 2: on a picture of 96 x 64 px, box \[nan"),
        (with_box(0, 0, np.inf, 10), r"box \[0\.0, 0\.0, inf"),
        (with_box(20, 0, 10, 10), r"box \[20\.0, 0\.0, 10\.0"),
        (with_box(-2, 0, 10, 10), r"box \[-2\.0"),
        (with_box(0, 0, 98, 10), r"box .*98\.0"),
        (with_box(0, 0, 10, 66), r"box .*66\.0"),
        (with_score(np.nan), r"detection 1 of 2: score nan"),
        (with_score(1.01), r"score 1\.0"),
        (with_score(-0.01), r"score -0\.0"),
        (with_class(4), r"of 4 classes, class 4"),
        (with_class(-1), r"of 4 classes, class -1"),
        (with_mask(x=1), r"a mask of 96 x 64 px at \(1, 0\)"),
        (with_mask(y=-1), r"at \(0, -1\)"),
        (with_mask(counts=[5]), r"runs of 5 px"),
        (with_mask(counts=[-1, 96 * 64 + 1]), r"a mask"),
        (replace(answer(), masks=(answer().masks or ())[:1]), r"1 masks for 2 boxes"),
        (replace(answer(), scores=np.array([0.5], np.float32)), r"shapes \(\(2, 4\), \(1,\), \(2,\)\)"),
        (replace(answer(), classes=np.array([0.0, 1.0])), r"classes of type float64"),  # type: ignore[arg-type] # wrong
    ],
)
def test_what_cannot_be_right_is_refused(found: Detections, told: str) -> None:
    """The message names the detection, and what is wrong with it."""
    with pytest.raises(InferenceError, match=told):
        check(found)


def test_count_in_equals_count_out() -> None:
    """One answer too few, or too many, and none of them counts."""
    check_count([answer()], [PICTURE])
    with pytest.raises(InferenceError, match="answered 0 frames when asked for 1"):
        check_count([], [PICTURE])
    with pytest.raises(InferenceError, match="answered 2 frames when asked for 1"):
        check_count([answer(), answer()], [PICTURE])
