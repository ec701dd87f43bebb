"""Regions of a frame in the forms that are compared: cropped masks, COCO's run lengths, boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from edge.contracts.mask import Mask

# COCO's compressed run lengths of a whole frame, {"size": [height, width], "counts": bytes}.
RunLengths = dict[str, Any]
Boxes = npt.NDArray[np.float64]


def whole_frame_runs(mask: Mask, height_px: int, width_px: int) -> RunLengths:
    """COCO's compressed run lengths of a whole frame with a mask on it.

    Only the columns of the mask are unpacked, never the frame.
    """
    columns = np.zeros((height_px, mask.width), np.bool_)
    columns[mask.y : mask.y + mask.height] = mask.decode()
    counts = Mask.encode(columns).counts if columns.size else [0]
    counts[0] += mask.x * height_px
    rest = (width_px - mask.x - mask.width) * height_px
    if len(counts) % 2:
        counts[-1] += rest
    elif rest:
        counts.append(rest)
    runs: RunLengths = coco_mask.frPyObjects(
        {"size": [height_px, width_px], "counts": counts}, height_px, width_px
    )
    return runs


def mask_of_box(box: npt.NDArray[np.floating[Any]], height_px: int, width_px: int) -> Mask:
    """Fill a box x0 y0 x1 y1, rounded to whole px and cut at the frame's edges."""
    limits = (width_px, height_px, width_px, height_px)
    x0, y0, x1, y1 = (min(max(round(float(v)), 0), limit) for v, limit in zip(box, limits, strict=True))
    return Mask.encode(np.ones((max(y1 - y0, 0), max(x1 - x0, 0)), np.bool_), x=x0, y=y0)


def paste(mask: Mask, canvas: npt.NDArray[Any], value: int, *, x: int = 0, y: int = 0) -> None:
    """Set the mask's pixels of a canvas whose first pixel lies at (x, y) of the frame."""
    top, left = mask.y - y, mask.x - x
    canvas[top : top + mask.height, left : left + mask.width][mask.decode()] = value


def box_iou(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of boxes x0 y0 x1 y1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared + 1e-9))


def mask_iou(first: Sequence[RunLengths], second: Sequence[RunLengths]) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of regions of one frame."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    return np.asarray(coco_mask.iou(list(first), list(second), [0] * len(second)))
