"""The losses of Faster, Mask and Cascade R-CNN, as Detectron2 defines and names them.

Convolutions may run in a lower precision; all arithmetic on boxes and losses is float32. Masks are bitmaps,
as with Detectron2's ``INPUT.MASK_FORMAT: bitmask``. Each loss is connected to all parameters that it could
ever train, also where no image has a defect, so that distributed training finds none unused.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edge.training.engine.box_losses import box_losses, own_deltas
from edge.training.engine.cascade_losses import cascade_losses
from edge.training.engine.mask_losses import mask_losses
from edge.training.engine.rpn_losses import rpn_losses
from edge.training.engine.targets import LabelledBoxes, Target, sample_proposals
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Model
from edge.vision.native.rcnn import GeneralizedRCNN, ImageBatch
from edge.vision.native.roi_heads import CascadeRoiHeads, RoiHeads, StandardRoiHeads

__all__ = ["Target", "losses_of_features", "roi_losses", "training_losses"]


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
    rpn = model.proposal_generator
    output = rpn(features)
    losses = rpn_losses(output, targets, batch.image_sizes, config=config.rpn, coder=rpn.box_coder)
    proposals = [image.boxes for image in rpn.select(output, batch.image_sizes)]
    return losses | roi_losses(
        model.roi_heads, config, features, proposals, targets, image_sizes=batch.image_sizes
    )


def roi_losses(
    heads: RoiHeads,
    config: Model,
    features: Mapping[str, Tensor],
    proposals: Sequence[Tensor],
    targets: Sequence[Target],
    *,
    image_sizes: Sequence[tuple[int, int]],
) -> dict[str, Tensor]:
    """Return the losses of the second stage for each image's proposals (R, 4) px, sampled here.

    ``image_sizes`` are (height, width) px without padding.
    """
    labelled = [
        sample_proposals(boxes, target, config.roi_heads)
        for boxes, target in zip(proposals, targets, strict=True)
    ]
    if isinstance(heads, CascadeRoiHeads):
        losses = cascade_losses(heads, config, features, labelled, targets, image_sizes=image_sizes)
    else:
        assert isinstance(heads, StandardRoiHeads)  # noqa: S101 - there are two kinds
        losses, labelled = _standard_losses(heads, config, features, labelled, targets)
    return losses | mask_losses(heads, features, labelled, targets) if config.mask_on else losses


def _standard_losses(
    heads: StandardRoiHeads,
    config: Model,
    features: Mapping[str, Tensor],
    labelled: list[LabelledBoxes],
    targets: Sequence[Target],
) -> tuple[dict[str, Tensor], list[LabelledBoxes]]:
    """Return the box head's losses, and the boxes that masks are learned in."""
    logits, deltas = heads.predict(features, [image.boxes for image in labelled])
    losses = box_losses(logits, deltas, labelled, targets, config=config, coder=heads.box_coder)
    if config.roi_box_head.train_on_pred_boxes:
        labelled = _moved(labelled, deltas, heads.box_coder)
    return losses, labelled


@torch.no_grad()
def _moved(labelled: Sequence[LabelledBoxes], deltas: Tensor, coder: BoxCoder) -> list[LabelledBoxes]:
    """Move all images' boxes to where their own class's deltas want them."""
    classes = torch.cat([image.classes for image in labelled])
    boxes = coder.decode(own_deltas(deltas, classes), torch.cat([image.boxes for image in labelled]))
    parts = torch.split(boxes, [len(image.boxes) for image in labelled])
    return [
        LabelledBoxes(part, image.classes, image.truth) for part, image in zip(parts, labelled, strict=True)
    ]
