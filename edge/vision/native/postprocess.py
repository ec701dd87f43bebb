"""From the model's px to the frame's: boxes scaled back, masks pasted into their boxes and encoded."""

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.vision.detections import Detections
from edge.vision.native.boxes import clip, larger_than
from edge.vision.native.rcnn import RawDetections

MASK_THRESHOLD = 0.5
# Bilinear interpolation reaches half a mask cell beyond the box; Detectron2 looks one whole pixel further.
PASTE_MARGIN_PX = 1

Floats = npt.NDArray[np.float32]


def to_frame(raw: RawDetections, seen: tuple[int, int], frame: tuple[int, int]) -> Detections:
    """Turn one image's raw detections into px of the frame.

    Args:
        raw: in px of the model's input.
        seen: (height, width) px that the model saw.
        frame: (height, width) px of the original picture.
    """
    boxes = raw.found.boxes.cpu().clone()
    boxes[:, 0::2] *= frame[1] / seen[1]
    boxes[:, 1::2] *= frame[0] / seen[0]
    boxes = clip(boxes, frame)
    kept = larger_than(boxes, 0.0)
    frame_boxes: Floats = boxes[kept].numpy()
    masks = None
    if raw.masks is not None:
        probabilities: Floats = raw.masks.cpu()[kept].numpy()
        masks = tuple(paste(mask, box, frame) for mask, box in zip(probabilities, frame_boxes, strict=True))
    return Detections(
        boxes=frame_boxes,
        scores=raw.found.scores.cpu()[kept].numpy(),
        classes=raw.found.classes.cpu()[kept].numpy(),
        masks=masks,
    )


def window(box: Floats, frame: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1: the whole pixels of the (height, width) frame that a box's mask may set."""
    x0, y0 = (int(max(0, edge)) for edge in np.floor(box[:2]) - PASTE_MARGIN_PX)
    x1, y1 = (int(edge) for edge in np.ceil(box[2:]) + PASTE_MARGIN_PX)
    return x0, y0, min(x1, frame[1]), min(y1, frame[0])


def paste(probabilities: Floats, box: Floats, frame: tuple[int, int]) -> Mask:
    """Stretch (M, M) mask probabilities over a box and encode where they reach one half.

    Only the pixels around the box are looked at; beyond it, the mask fades to zero within half a mask cell.
    """
    x0, y0, x1, y1 = window(box, frame)
    rows = _interpolation(y0, y1, box[1], box[3], len(probabilities))
    columns = _interpolation(x0, x1, box[0], box[2], len(probabilities))
    return Mask.encode(rows @ probabilities @ columns.T >= MASK_THRESHOLD, x=x0, y=y0)


def _interpolation(start: int, stop: int, low: np.float32, high: np.float32, cells: int) -> Floats:
    """Return (stop - start, cells): the weights of the mask's cells at each pixel centre along one axis."""
    pixels = np.arange(start, stop, dtype=np.float32) + np.float32(0.5)
    position = (pixels - low) / (high - low) * np.float32(cells) - np.float32(0.5)
    distance = np.abs(position[:, None] - np.arange(cells, dtype=np.float32))
    return np.maximum(np.float32(0), np.float32(1) - distance)
