"""From an annotated frame to a training picture, in Detectron2's order: crop, resize, flip."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edge.training.engine.config import Crop, Input
from edge.training.samples import Sample
from edge.vision.native.config import Input as SeenInput
from edge.vision.native.preprocess import resize, resized_size

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Example:
    """One training picture as tensors, and the name of its frame.

    ``image`` (1, H, W) uint8 grey; of its defects ``boxes`` (G, 4) float32 px, ``classes`` (G,) int64 and
    ``masks`` (G, H, W) bool. Processes that draw these do without the losses, and start in half the time.
    """

    image: Tensor
    boxes: Tensor
    classes: Tensor
    masks: Tensor
    name: str = ""


def crop_size(crop: Crop, frame: tuple[int, int], rng: Rng) -> tuple[int, int]:
    """Draw the (height, width) px of a crop from a frame of (height, width) px.

    ``relative``: SIZE are the parts of height and width; ``relative_range``: parts from SIZE to 1, drawn for
    each; ``absolute``: SIZE is (height, width) px; ``absolute_range``: both are drawn from SIZE's first to
    its second number of px. No crop exceeds its frame.
    """
    height, width = frame
    low, high = crop.size
    if not crop.enabled:
        return frame
    if crop.type == "absolute":
        return min(int(low), height), min(int(high), width)
    if crop.type == "absolute_range":
        return _drawn_px(low, high, height, rng), _drawn_px(low, high, width, rng)
    parts = np.array(crop.size)
    if crop.type == "relative_range":
        parts = parts + rng.random(2) * (1 - parts)
    return max(1, int(height * parts[0] + 0.5)), max(1, int(width * parts[1] + 0.5))


def train_size(frame: tuple[int, int], config: Input, rng: Rng) -> tuple[int, int]:
    """Draw the (height, width) px that a crop of (height, width) px is resized to."""
    edges = config.shortest_edges_px
    if config.min_size_train_sampling == "range":
        edge = int(rng.integers(edges[0], edges[1] + 1))
    else:
        edge = int(edges[int(rng.integers(len(edges)))])
    limits = SeenInput(min_size_test=edge, max_size_test=config.max_size_train)
    return resized_size(frame[0], frame[1], limits)


def to_example(sample: Sample, size: tuple[int, int] | None = None) -> Example:
    """Turn a sample into tensors, resized to (height, width) px.

    Boxes keep their fractions of px; masks take the nearest pixel's value, and a defect of which no pixel is
    left is dropped.
    """
    height, width = sample.image.shape
    rows_px, columns_px = size or (height, width)
    count = len(sample.instances)
    masks = np.zeros((count, height, width), np.bool_)
    for mask, instance in zip(masks, sample.instances, strict=True):
        x0, y0, x1, y1 = instance.box_px
        mask[y0:y1, x0:x1] = instance.mask.decode()
    boxes = np.array([i.box_px for i in sample.instances], np.float32).reshape(count, 4)
    classes = np.array([i.class_id for i in sample.instances], np.int64)
    image = sample.image
    if (rows_px, columns_px) != (height, width):
        image = resize(image, (rows_px, columns_px))
        masks = masks[:, _nearest(height, rows_px)[:, None], _nearest(width, columns_px)]
        boxes *= np.array([columns_px / width, rows_px / height] * 2, np.float32)
        left = masks.any(axis=(1, 2))
        boxes, classes, masks = boxes[left], classes[left], masks[left]
    return Example(
        image=torch.from_numpy(np.array(image))[None],
        boxes=torch.from_numpy(boxes),
        classes=torch.from_numpy(classes),
        masks=torch.from_numpy(masks),
        name=sample.name,
    )


def _nearest(old_px: int, new_px: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(new_px,): the old pixel under each new pixel's centre."""
    return ((np.arange(new_px) + 0.5) * old_px / new_px).astype(np.int64)


def _drawn_px(low: float, high: float, frame_px: int, rng: Rng) -> int:
    return int(rng.integers(min(frame_px, int(low)), min(frame_px, int(high)) + 1))
