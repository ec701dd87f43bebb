"""Losses of the region proposal network (https://arxiv.org/abs/1506.01497, section 3.1.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from edge.training.engine.box_losses import box_regression_loss
from edge.training.engine.matcher import IGNORED, match, sample
from edge.training.engine.targets import Target
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Rpn
from edge.vision.native.rpn import RpnOutput


def rpn_losses(
    output: RpnOutput,
    targets: Sequence[Target],
    image_sizes: Sequence[tuple[int, int]],
    *,
    config: Rpn,
    coder: BoxCoder,
) -> dict[str, Tensor]:
    """Return ``loss_rpn_cls`` and ``loss_rpn_loc`` of a sample of each image's anchors.

    Both are divided by the number that is sampled for, whether there are so many anchors or not.
    ``image_sizes`` are (height, width) px without padding.
    """
    anchors = torch.cat(output.anchors)
    objectness = torch.cat(output.objectness, dim=1)
    deltas = torch.cat(output.deltas, dim=1)
    found_logits, wanted_logits, found_deltas, sources, truth = [], [], [], [], []
    for image_logits, image_deltas, target, size in zip(
        objectness, deltas, targets, image_sizes, strict=True
    ):
        positive, negative, truth_index = sample_anchors(anchors, target, size, config)
        found_logits += [image_logits[positive], image_logits[negative]]
        wanted_logits += [torch.ones_like(positive), torch.zeros_like(negative)]
        found_deltas.append(image_deltas[positive])
        sources.append(anchors[positive])
        truth.append(target.boxes[truth_index])
    of_class = functional.binary_cross_entropy_with_logits(
        torch.cat(found_logits).float(), torch.cat(wanted_logits).float(), reduction="sum"
    )
    of_box = box_regression_loss(
        torch.cat(found_deltas),
        torch.cat(sources),
        torch.cat(truth),
        coder=coder,
        kind=config.bbox_reg_loss_type,
        beta=config.smooth_l1_beta,
    )
    weight = config.loss_weight / (config.batch_size_per_image * len(targets))
    return {
        "loss_rpn_cls": of_class * weight,
        "loss_rpn_loc": of_box * (weight * config.bbox_reg_loss_weight),
    }


@torch.no_grad()
def sample_anchors(
    anchors: Tensor, target: Target, image_size: tuple[int, int], config: Rpn
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the anchors (R, 4) that one image is learned from.

    Returns:
        Indices (P,) of positives, (Q,) of negatives, and (P,) of the positives' defects.
    """
    matches = match(
        target.boxes, anchors, thresholds=config.iou_thresholds, labels=config.iou_labels, keep_best=True
    )
    labels = matches.labels
    if config.boundary_thresh >= 0:
        labels[~_inside(anchors, image_size, config.boundary_thresh)] = IGNORED
    positive, negative = sample(labels, config.batch_size_per_image, config.positive_fraction, negative=0)
    return positive, negative, matches.index[positive]


def _inside(boxes: Tensor, image_size: tuple[int, int], margin_px: float) -> Tensor:
    """Return (R,) bool: boxes that reach less than a margin beyond the image of (height, width) px."""
    height, width = image_size
    x0, y0, x1, y1 = boxes.unbind(-1)
    return (x0 >= -margin_px) & (y0 >= -margin_px) & (x1 < width + margin_px) & (y1 < height + margin_px)
