"""From Detectron2's ``Instances`` to detections."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge.contracts.mask import Mask
from edge.errors import InferenceError, UnsupportedModelError
from edge.vision.detections import Detections
from edge.vision.native.boxes import clip, larger_than
from edge.vision.native.postprocess import window

BOX_COORDINATES = 4


def to_detections(instances: Any, thresholds: Tensor) -> Detections:
    """Turn the model's answer for one frame into detections.

    Args:
        instances: Detectron2's, in px of the frame: boxes, scores, classes, and perhaps (N, H, W) masks.
        thresholds: (K,); a detection of class k is kept when its score is greater.

    Raises:
        UnsupportedModelError: its boxes are not upright.
        InferenceError: it found a class that has no name.
    """
    scores = instances.scores.float().cpu()
    classes = instances.pred_classes.long().cpu()
    boxes = _boxes(instances)
    if len(classes) and int(classes.max()) >= len(thresholds):
        raise InferenceError(
            f"the model found class {int(classes.max())}, but has names for {len(thresholds)}"
        )
    best_first = scores.argsort(descending=True, stable=True)
    kept = best_first[((scores > thresholds[classes]) & larger_than(boxes, 0.0))[best_first]]
    frame_boxes: npt.NDArray[np.float32] = boxes[kept].numpy()
    return Detections(
        boxes=frame_boxes,
        scores=scores[kept].numpy(),
        classes=classes[kept].numpy(),
        masks=_masks(instances, kept, frame_boxes) if instances.has("pred_masks") else None,
    )


def _boxes(instances: Any) -> Tensor:
    """Return (N, 4) boxes clipped to the frame; models that answer masks alone leave theirs empty."""
    boxes: Tensor = instances.pred_boxes.tensor.float().cpu()
    if boxes.shape[-1] != BOX_COORDINATES:
        raise UnsupportedModelError(f"the model answers boxes of {boxes.shape[-1]} numbers, not of 4")
    boxes = clip(boxes, instances.image_size)
    if instances.has("pred_masks") and len(boxes) and not larger_than(boxes, 0.0).any():
        boxes = torch.stack([_bounding_box(mask) for mask in instances.pred_masks.bool().cpu()])
    return boxes


def _bounding_box(mask: Tensor) -> Tensor:
    """Return the (4,) box of a (H, W) mask, empty for an empty one."""
    rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
    if not len(rows):
        return torch.zeros(BOX_COORDINATES)
    return torch.stack((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)).float()


def _masks(instances: Any, kept: Tensor, boxes: npt.NDArray[np.float32]) -> tuple[Mask, ...]:
    """Encode the kept masks, each within its box."""
    pixels = instances.pred_masks[kept.to(instances.pred_masks.device)].bool().cpu().numpy()
    masks = []
    for mask, box in zip(pixels, boxes, strict=True):
        x0, y0, x1, y1 = window(box, mask.shape)
        masks.append(Mask.encode(mask[y0:y1, x0:x1], x=x0, y=y0))
    return tuple(masks)
