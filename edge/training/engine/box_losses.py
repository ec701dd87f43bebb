"""Losses of classes and boxes, in float32 whatever precision the network computes in."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from edge.training.engine.targets import LabelledBoxes, Target
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Model

SMOOTH_L1 = "smooth_l1"
# https://arxiv.org/abs/1902.09630 and https://arxiv.org/abs/1911.08287, by Detectron2's names.
IOU_LOSSES: dict[str, Callable[..., Tensor]] = {
    "giou": generalized_box_iou_loss,
    "diou": distance_box_iou_loss,
    "ciou": complete_box_iou_loss,
}
BOX_LOSSES = (SMOOTH_L1, *IOU_LOSSES)


def box_losses(
    logits: Tensor,
    deltas: Tensor,
    labelled: Sequence[LabelledBoxes],
    targets: Sequence[Target],
    *,
    config: Model,
    coder: BoxCoder,
) -> dict[str, Tensor]:
    """Return ``loss_cls`` and ``loss_box_reg`` of the box head (Fast R-CNN, section 2.3).

    Args:
        logits: (R, K + 1), background last, of all images' boxes in order.
        deltas: (R, K*4 or 4).
        labelled: what these boxes should have been, image by image.
        targets: the images' defects.
        config: which losses, and their weights.
        coder: of the deltas.
    """
    head = config.roi_box_head
    classes = torch.cat([image.classes for image in labelled])
    sources = torch.cat([image.boxes for image in labelled])
    truth = torch.cat([image.true_boxes(target) for image, target in zip(labelled, targets, strict=True)])
    positive = torch.nonzero(classes < config.roi_heads.num_classes)[:, 0]
    of_box = box_regression_loss(
        own_deltas(deltas, classes)[positive],
        sources[positive],
        truth[positive],
        coder=coder,
        kind=head.bbox_reg_loss_type,
        beta=head.smooth_l1_beta,
    )
    # Divided by all boxes, not by the positive ones: so each positive counts alike in every batch.
    return {
        "loss_cls": class_loss(logits, classes, sigmoid=head.use_sigmoid_ce),
        "loss_box_reg": of_box * (head.bbox_reg_loss_weight / max(1, len(classes))),
    }


def class_loss(logits: Tensor, classes: Tensor, *, sigmoid: bool) -> Tensor:
    """Mean over R boxes of the cross-entropy of logits (R, K + 1) with classes (R,), K being background.

    With ``sigmoid``: of the sum of the K binary cross-entropies. Without boxes 0, with a gradient.
    """
    logits = logits.float()
    if not len(classes):
        return logits.sum() * 0.0
    if not sigmoid:
        return functional.cross_entropy(logits, classes)
    wanted = functional.one_hot(classes, logits.shape[1])[:, :-1].to(logits)
    total = functional.binary_cross_entropy_with_logits(logits[:, :-1], wanted, reduction="sum")
    return total / len(classes)


def box_regression_loss(
    deltas: Tensor, sources: Tensor, truth: Tensor, *, coder: BoxCoder, kind: str, beta: float
) -> Tensor:
    """Sum of the losses of P boxes; ``kind`` is one of ``BOX_LOSSES``.

    Args:
        deltas: (P, 4) as predicted.
        sources: (P, 4) px, the boxes that the deltas move.
        truth: (P, 4) px, where they should come to lie.
        coder: of the deltas.
        kind: smooth L1 compares deltas; the IoU losses compare boxes.
        beta: where smooth L1 turns from a parabola to a line; 0 is plain L1.
    """
    deltas = deltas.float()
    if kind == SMOOTH_L1:
        return functional.smooth_l1_loss(deltas, coder.encode(sources, truth), beta=beta, reduction="sum")
    return IOU_LOSSES[kind](coder.decode(deltas, sources), truth, reduction="sum")


def own_deltas(deltas: Tensor, classes: Tensor) -> Tensor:
    """Return (R, 4): of deltas (R, K*4 or 4) those of each box's class; of any for background."""
    by_class = deltas.view(len(deltas), deltas.shape[1] // 4, 4)
    column = classes.clamp(max=by_class.shape[1] - 1)
    return by_class[torch.arange(len(deltas), device=deltas.device), column]
