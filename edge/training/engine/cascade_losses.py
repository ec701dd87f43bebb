"""Losses of Cascade R-CNN's box heads (https://arxiv.org/abs/1712.00726)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edge.training.engine.box_losses import box_losses
from edge.training.engine.targets import LabelledBoxes, Target, label_boxes
from edge.vision.native.boxes import BoxCoder, clip, larger_than
from edge.vision.native.config import Model
from edge.vision.native.roi_heads import CascadeRoiHeads

_LABELS = (0, 1)  # background below a stage's IoU, positive from it on


def cascade_losses(
    heads: CascadeRoiHeads,
    config: Model,
    features: Mapping[str, Tensor],
    labelled: Sequence[LabelledBoxes],
    targets: Sequence[Target],
    *,
    image_sizes: Sequence[tuple[int, int]],
) -> dict[str, Tensor]:
    """Return ``loss_cls_stage0``, ``loss_box_reg_stage0`` and so on for all stages.

    The first stage learns from the sample; each later one from the boxes that the one before made of its own,
    matched anew and more strictly. ``image_sizes`` are (height, width) px without padding.
    """
    # The stages' losses are added, and what they tell the backbone is averaged: each head then learns at the
    # full rate. Pooling is linear, so that scaling features and scaling what is pooled of them is one.
    shared = {name: _with_scaled_gradient(f, 1 / len(heads.box_coders)) for name, f in features.items()}
    losses: dict[str, Tensor] = {}
    boxes = [image.boxes for image in labelled]
    for stage, (coder, iou) in enumerate(
        zip(heads.box_coders, config.roi_box_cascade_head.ious, strict=True)
    ):
        if stage:
            labelled = [
                label_boxes(b, target, thresholds=(iou,), labels=_LABELS, background=heads.num_classes)
                for b, target in zip(boxes, targets, strict=True)
            ]
        logits, deltas = heads.predict_stage(stage, shared, boxes)
        of_stage = box_losses(logits, deltas, labelled, targets, config=config, coder=coder)
        losses |= {f"{name}_stage{stage}": loss for name, loss in of_stage.items()}
        boxes = _refined(deltas, boxes, image_sizes, coder)
    return losses


@torch.no_grad()
def _refined(
    deltas: Tensor, boxes: Sequence[Tensor], image_sizes: Sequence[tuple[int, int]], coder: BoxCoder
) -> list[Tensor]:
    """Move all images' boxes by deltas (R, 4) and clip them; what then is empty is left away."""
    moved = torch.split(coder.decode(deltas, torch.cat(list(boxes))), [len(b) for b in boxes])
    clipped = [clip(b, size) for b, size in zip(moved, image_sizes, strict=True)]
    return [b[larger_than(b, 0)] for b in clipped]


def _with_scaled_gradient(x: Tensor, scale: float) -> Tensor:
    same = x.view_as(x)
    if same.requires_grad:
        same.register_hook(lambda gradient: gradient * scale)  # type: ignore[no-untyped-call]
    return same
