"""What a model answers is looked at before it counts: nothing that cannot be right reaches a record.

JSON has no word for NaN, a box that lies elsewhere marks sound strip, and a class without a name stops all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import InferenceError
from edge.pipeline.decode import Image
from edge.vision.detections import Detections

# Edges are clipped to the picture by runtimes; rounding may leave them a little outside.
_BEYOND_PX = 1.0
_EDGES_OF_BOX = 4


def check_count(answers: Sequence[Detections], images: Sequence[Image]) -> None:
    """Count in equals count out: a mask never lands on another camera's frame.

    Raises:
        InferenceError: there are more or fewer answers than images.
    """
    if len(answers) != len(images):
        raise InferenceError(f"the model answered {len(answers)} frames when asked for {len(images)}")


def check_answer(answer: Detections, image: Image, class_names: Sequence[str]) -> None:
    """Check all that was found on one (H, W) or (H, W, 3) image.

    Raises:
        InferenceError: it cannot be right; the message says which detection and what is wrong with it.
    """
    _check_shapes(answer)
    _check_boxes(answer, image)
    _refuse_any(~((answer.scores >= 0) & (answer.scores <= 1)), answer, "score", answer.scores)
    unnamed = (answer.classes < 0) | (answer.classes >= len(class_names))
    _refuse_any(unnamed, answer, f"of {len(class_names)} classes, class", answer.classes)
    _check_masks(answer, image)


def _check_shapes(answer: Detections) -> None:
    count = len(answer)
    shapes = (answer.boxes.shape, answer.scores.shape, answer.classes.shape)
    if shapes != ((count, _EDGES_OF_BOX), (count,), (count,)):
        raise InferenceError(f"the model answered boxes, scores and classes of shapes {shapes}")
    if not np.issubdtype(answer.classes.dtype, np.integer):
        raise InferenceError(f"the model answered classes of type {answer.classes.dtype}")
    if answer.masks is not None and len(answer.masks) != count:
        raise InferenceError(f"the model answered {len(answer.masks)} masks for {count} boxes")


def _check_boxes(answer: Detections, image: Image) -> None:
    """Finite, their corners in order, and on the picture: what is NaN compares as false, and is refused."""
    height, width = image.shape[:2]
    first, opposite = answer.boxes[:, :2], answer.boxes[:, 2:]
    limit = np.array([width, height]) + _BEYOND_PX
    is_right = np.all((first >= -_BEYOND_PX) & (first <= opposite) & (opposite <= limit), axis=1)
    _refuse_any(np.logical_not(is_right), answer, f"on a picture of {width} x {height} px, box", answer.boxes)


def _check_masks(answer: Detections, image: Image) -> None:
    height, width = image.shape[:2]
    for index, mask in enumerate(answer.masks or ()):
        is_inside = 0 <= mask.x <= width - mask.width and 0 <= mask.y <= height - mask.height
        if not is_inside or min(mask.counts, default=0) < 0 or sum(mask.counts) != mask.width * mask.height:
            raise InferenceError(
                f"the model's detection {index} of {len(answer)}: on a picture of {width} x {height} px, "
                f"a mask of {mask.width} x {mask.height} px at ({mask.x}, {mask.y}) "
                f"with runs of {sum(mask.counts)} px"
            )


def _refuse_any(
    wrong: npt.NDArray[np.bool_], answer: Detections, what: str, values: npt.NDArray[Any]
) -> None:
    if wrong.any():
        index = int(np.argmax(wrong))
        raise InferenceError(
            f"the model's detection {index} of {len(answer)}: {what} {values[index].tolist()}"
        )
