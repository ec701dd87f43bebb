"""Loss of the mask head (https://arxiv.org/abs/1703.06870, section 3)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from edge.training.engine.targets import LabelledBoxes, Target
from edge.vision.native.roi_heads import RoiHeads

_COVERED = 0.5  # the part of a cell from which it belongs to the mask


def mask_losses(
    heads: RoiHeads,
    features: Mapping[str, Tensor],
    labelled: Sequence[LabelledBoxes],
    targets: Sequence[Target],
) -> dict[str, Tensor]:
    """Return ``loss_mask`` of the boxes that are no background."""
    positives = [image.only(image.classes < heads.num_classes) for image in labelled]
    logits = heads.mask_logits(features, [image.boxes for image in positives])
    wanted = [
        mask_targets(target.masks, image.boxes, image.truth, logits.shape[-1])
        for image, target in zip(positives, targets, strict=True)
    ]
    classes = torch.cat([image.classes for image in positives])
    return {"loss_mask": mask_loss(logits, classes, torch.cat(wanted))}


def mask_loss(logits: Tensor, classes: Tensor, wanted: Tensor) -> Tensor:
    """Mean binary cross-entropy of each box's own class; logits (R, K or 1, M, M), wanted (R, M, M) bool.

    Without boxes 0, with a gradient: every parameter then has one, as distributed training demands.
    """
    if not len(logits):
        return logits.float().sum() * 0.0
    column = torch.zeros_like(classes) if logits.shape[1] == 1 else classes
    own = logits[torch.arange(len(logits), device=logits.device), column].float()
    return functional.binary_cross_entropy_with_logits(own, wanted.float())


@torch.no_grad()
def mask_targets(masks: Tensor, boxes: Tensor, truth: Tensor, size: int) -> Tensor:
    """Cut boxes (R, 4) out of their defects' masks (G, H, W) and resample them to (R, size, size) bool."""
    if not len(boxes):
        return torch.zeros((0, size, size), dtype=torch.bool, device=boxes.device)
    rois = torch.cat((truth[:, None].to(boxes), boxes), dim=1)
    return roi_align(masks[:, None].float(), rois, size, aligned=True)[:, 0] >= _COVERED
