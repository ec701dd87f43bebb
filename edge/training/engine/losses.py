"""Mask R-CNN's five losses, as Detectron2 defines them. All arithmetic on boxes and losses is float32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from edge.errors import UnsupportedModelError
from edge.training.engine.matcher import IGNORED, match, sample
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Model
from edge.vision.native.rcnn import GeneralizedRCNN, ImageBatch
from edge.vision.native.roi_heads import StandardRoiHeads
from edge.vision.native.rpn import RpnOutput


@dataclass(frozen=True, slots=True)
class Target:
    """The defects of one image: boxes (G, 4) float32 px, classes (G,) int64, masks (G, H, W) bool."""

    boxes: Tensor
    classes: Tensor
    masks: Tensor


@dataclass(frozen=True, slots=True)
class SampledProposals:
    """The proposals of one image that the heads learn from: positives first.

    ``classes``: (R,), the number of classes for background; ``truth``: (R,) index into the target.
    """

    boxes: Tensor
    classes: Tensor
    truth: Tensor


def training_losses(
    model: GeneralizedRCNN, config: Model, batch: ImageBatch, targets: Sequence[Target]
) -> dict[str, Tensor]:
    """One forward pass; the losses by Detectron2's names, whose sum is to be minimised."""
    return losses_of_features(model, config, model.backbone(batch.pixels), batch, targets)


def losses_of_features(
    model: GeneralizedRCNN,
    config: Model,
    features: Mapping[str, Tensor],
    batch: ImageBatch,
    targets: Sequence[Target],
) -> dict[str, Tensor]:
    """Return the same losses from features that are computed already: ``p<n>`` (N, C, H/2**n, W/2**n)."""
    rpn_output = model.proposal_generator(features)
    losses = rpn_losses(rpn_output, targets, config, model.proposal_generator.box_coder)
    proposals = model.proposal_generator.select(rpn_output, batch.image_sizes)
    sampled = [
        sample_proposals(p.boxes, target, config) for p, target in zip(proposals, targets, strict=True)
    ]
    heads = model.roi_heads
    if not isinstance(heads, StandardRoiHeads):
        raise UnsupportedModelError(
            "MODEL.ROI_HEADS.NAME: CascadeROIHeads cannot be trained; StandardROIHeads can"
        )
    logits, deltas = heads.predict(features, [s.boxes for s in sampled])
    losses |= box_losses(logits, deltas, sampled, targets, config=config, coder=heads.box_coder)
    if config.mask_on:
        losses |= _mask_losses(heads, features, sampled, targets)
    return losses


def rpn_losses(
    output: RpnOutput, targets: Sequence[Target], config: Model, coder: BoxCoder
) -> dict[str, Tensor]:
    """Objectness and box loss of the anchors, sampled image by image, divided by the number sampled for."""
    anchors = torch.cat(output.anchors)
    objectness = torch.cat(output.objectness, dim=1).float()
    deltas = torch.cat(output.deltas, dim=1).float()
    rpn = config.rpn
    of_class, of_box = objectness.sum() * 0.0, deltas.sum() * 0.0
    for image_logits, image_deltas, target in zip(objectness, deltas, targets, strict=True):
        matches = match(
            target.boxes, anchors, thresholds=rpn.iou_thresholds, labels=rpn.iou_labels, keep_best=True
        )
        positive, negative = sample(
            matches.labels, rpn.batch_size_per_image, rpn.positive_fraction, negative=0
        )
        chosen = torch.cat((positive, negative))
        wanted = torch.cat((torch.ones(len(positive)), torch.zeros(len(negative)))).to(image_logits)
        of_class = of_class + functional.binary_cross_entropy_with_logits(
            image_logits[chosen], wanted, reduction="sum"
        )
        if len(positive):
            wanted_deltas = coder.encode(anchors[positive], target.boxes[matches.index[positive]])
            of_box = of_box + smooth_l1(image_deltas[positive], wanted_deltas, rpn.smooth_l1_beta)
    normaliser = rpn.batch_size_per_image * len(targets)
    return {
        "loss_rpn_cls": of_class * (rpn.loss_weight / normaliser),
        "loss_rpn_loc": of_box * (rpn.loss_weight * rpn.bbox_reg_loss_weight / normaliser),
    }


@torch.no_grad()
def sample_proposals(proposals: Tensor, target: Target, config: Model) -> SampledProposals:
    """Match proposals (R, 4) to the defects, which join them if the config says so, and choose a sample."""
    heads = config.roi_heads
    boxes = torch.cat((proposals, target.boxes)) if heads.proposal_append_gt else proposals
    matches = match(
        target.boxes, boxes, thresholds=heads.iou_thresholds, labels=heads.iou_labels, keep_best=False
    )
    background = heads.num_classes
    classes = torch.full((len(boxes),), background, dtype=torch.int64, device=boxes.device)
    if len(target.boxes):
        classes = torch.where(matches.labels == 1, target.classes[matches.index], classes)
        classes[matches.labels == IGNORED] = IGNORED
    positive, negative = sample(
        classes, heads.batch_size_per_image, heads.positive_fraction, negative=background
    )
    chosen = torch.cat((positive, negative))
    return SampledProposals(boxes[chosen], classes[chosen], matches.index[chosen])


def box_losses(
    logits: Tensor,
    deltas: Tensor,
    sampled: Sequence[SampledProposals],
    targets: Sequence[Target],
    *,
    config: Model,
    coder: BoxCoder,
) -> dict[str, Tensor]:
    """Cross-entropy over classes and background; box loss of the positives, divided by the number sampled."""
    classes = torch.cat([s.classes for s in sampled])
    boxes = torch.cat([s.boxes for s in sampled])
    wanted = torch.cat([_wanted_boxes(s, t) for s, t in zip(sampled, targets, strict=True)])
    logits, deltas = logits.float(), deltas.float()
    positive = torch.nonzero(classes < config.roi_heads.num_classes)[:, 0]
    per_class = deltas.view(len(deltas), -1, 4)
    column = torch.zeros_like(positive) if per_class.shape[1] == 1 else classes[positive]
    wanted_deltas = coder.encode(boxes[positive], wanted[positive])
    of_box = smooth_l1(per_class[positive, column], wanted_deltas, config.roi_box_head.smooth_l1_beta)
    return {
        "loss_cls": functional.cross_entropy(logits, classes),
        "loss_box_reg": of_box * (config.roi_box_head.bbox_reg_loss_weight / max(1, len(classes))),
    }


def mask_loss(logits: Tensor, classes: Tensor, wanted: Tensor) -> Tensor:
    """Mean binary cross-entropy of each box's own class; logits (R, K or 1, M, M), wanted (R, M, M) bool."""
    if not len(logits):
        return logits.float().sum() * 0.0
    column = torch.zeros_like(classes) if logits.shape[1] == 1 else classes
    own = logits.float()[torch.arange(len(logits), device=logits.device), column]
    return functional.binary_cross_entropy_with_logits(own, wanted.float())


@torch.no_grad()
def mask_targets(masks: Tensor, boxes: Tensor, truth: Tensor, size: int) -> Tensor:
    """Cut boxes (R, 4) out of their defects' masks (G, H, W) and resample them to (R, size, size) bool."""
    if not len(boxes):
        return torch.zeros((0, size, size), dtype=torch.bool, device=boxes.device)
    rois = torch.cat((truth[:, None].to(boxes), boxes), dim=1)
    return roi_align(masks[:, None].float(), rois, size, aligned=True)[:, 0] >= 0.5  # noqa: PLR2004 - a half


def smooth_l1(found: Tensor, wanted: Tensor, beta: float) -> Tensor:
    """Sum of Fast R-CNN's box loss; ``beta`` 0 is plain L1."""
    difference = (found - wanted).abs()
    if beta <= 0:
        return difference.sum()
    return torch.where(difference < beta, 0.5 * difference**2 / beta, difference - 0.5 * beta).sum()


def _mask_losses(
    heads: StandardRoiHeads,
    features: Mapping[str, Tensor],
    sampled: Sequence[SampledProposals],
    targets: Sequence[Target],
) -> dict[str, Tensor]:
    positives = [_only(s, s.classes < heads.num_classes) for s in sampled]
    logits = heads.mask_logits(features, [s.boxes for s in positives])
    size = logits.shape[-1]
    wanted = [mask_targets(t.masks, s.boxes, s.truth, size) for s, t in zip(positives, targets, strict=True)]
    return {"loss_mask": mask_loss(logits, torch.cat([s.classes for s in positives]), torch.cat(wanted))}


def _only(sampled: SampledProposals, chosen: Tensor) -> SampledProposals:
    return SampledProposals(sampled.boxes[chosen], sampled.classes[chosen], sampled.truth[chosen])


def _wanted_boxes(sampled: SampledProposals, target: Target) -> Tensor:
    return target.boxes[sampled.truth] if len(target.boxes) else sampled.boxes
