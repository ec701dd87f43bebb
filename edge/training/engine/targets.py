"""What the model is to find in an image, and which boxes learn to find it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edge.training.engine.matcher import IGNORED, match, sample
from edge.vision.native.config import RoiHeads


@dataclass(frozen=True, slots=True)
class Target:
    """The defects of one image: boxes (G, 4) float32 px, classes (G,) int64, masks (G, H, W) bool."""

    boxes: Tensor
    classes: Tensor
    masks: Tensor


@dataclass(frozen=True, slots=True)
class LabelledBoxes:
    """The boxes (R, 4) px of one image that a head learns from.

    ``classes``: (R,), the number of classes for background; ``truth``: (R,) index into the target, which says
    nothing for background.
    """

    boxes: Tensor
    classes: Tensor
    truth: Tensor

    def only(self, chosen: Tensor) -> "LabelledBoxes":
        """Return those that an index or a mask chooses."""
        return LabelledBoxes(self.boxes[chosen], self.classes[chosen], self.truth[chosen])

    def true_boxes(self, target: Target) -> Tensor:
        """Return (R, 4): the box of each one's defect; without defects, the boxes themselves."""
        return target.boxes[self.truth] if len(target.boxes) else self.boxes


@torch.no_grad()
def label_boxes(
    boxes: Tensor, target: Target, *, thresholds: Sequence[float], labels: Sequence[int], background: int
) -> LabelledBoxes:
    """Give boxes (R, 4) the class of the defect that they overlap most, background, or -1 to ignore them.

    ``thresholds`` and ``labels`` are those of ``match``; without defects all boxes are background.
    """
    matches = match(target.boxes, boxes, thresholds=thresholds, labels=labels, keep_best=False)
    classes = torch.full((len(boxes),), background, dtype=torch.int64, device=boxes.device)
    if len(target.boxes):
        classes = torch.where(matches.labels == 1, target.classes[matches.index], classes)
        classes[matches.labels == IGNORED] = IGNORED
    return LabelledBoxes(boxes, classes, matches.index)


@torch.no_grad()
def sample_proposals(proposals: Tensor, target: Target, heads: RoiHeads) -> LabelledBoxes:
    """Label proposals (R, 4), joined by the defects if the config says so; choose some, positives first."""
    boxes = torch.cat((proposals, target.boxes)) if heads.proposal_append_gt else proposals
    labelled = label_boxes(
        boxes, target, thresholds=heads.iou_thresholds, labels=heads.iou_labels, background=heads.num_classes
    )
    chosen = sample(
        labelled.classes, heads.batch_size_per_image, heads.positive_fraction, negative=heads.num_classes
    )
    return labelled.only(torch.cat(chosen))
