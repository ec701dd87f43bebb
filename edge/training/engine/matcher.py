"""Which anchor or proposal is to find which defect, and which of them are trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

IGNORED = -1


@dataclass(frozen=True, slots=True)
class Matches:
    """For each of R boxes: ``index`` (R,) of the ground truth it overlaps most, and ``labels`` (R,) int8.

    Labels: 1 positive, 0 negative, -1 ignored. Without ground truth all are negative and ``index`` is 0.
    """

    index: Tensor
    labels: Tensor


def match(
    truth: Tensor,
    boxes: Tensor,
    *,
    thresholds: Sequence[float],
    labels: Sequence[int],
    keep_best: bool,
) -> Matches:
    """Label boxes (R, 4) by their largest IoU with the ground truth (G, 4).

    Args:
        truth: the ground truth.
        boxes: anchors or proposals.
        thresholds: rising IoUs.
        labels: ``labels[0]`` below the first threshold, ``labels[i + 1]`` at or above threshold i.
        keep_best: the boxes that overlap a ground truth most become positive whatever their IoU
            (Faster R-CNN, section 3.1.2), ties included.
    """
    if not len(truth):
        nothing = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
        return Matches(nothing, torch.full_like(nothing, labels[0], dtype=torch.int8))
    iou = box_iou(truth, boxes)
    best, index = iou.max(dim=0)
    steps = torch.tensor(thresholds, device=boxes.device, dtype=best.dtype)
    table = torch.tensor(labels, device=boxes.device, dtype=torch.int8)
    found = table[torch.bucketize(best, steps, right=True)]
    if keep_best:
        best_of_truth = iou.max(dim=1, keepdim=True).values
        found[(iou == best_of_truth).any(dim=0)] = 1
    return Matches(index, found)


def sample(labels: Tensor, count: int, positive_fraction: float, *, negative: int) -> tuple[Tensor, Tensor]:
    """Choose at random up to ``count`` boxes, of which at most a fraction is positive.

    Draws what Detectron2 draws: from the same state of torch's generator comes the same choice.

    Args:
        labels: (R,) ``negative``, -1 (never chosen), or anything else for positive.
        count: chosen in all; negatives fill up what positives leave.
        positive_fraction: of ``count``.
        negative: the label of background.

    Returns:
        Indices of positives and of negatives.
    """
    positives = torch.nonzero((labels != IGNORED) & (labels != negative))[:, 0]
    negatives = torch.nonzero(labels == negative)[:, 0]
    num_positives = min(len(positives), int(count * positive_fraction))
    num_negatives = min(len(negatives), count - num_positives)
    return (
        positives[torch.randperm(len(positives), device=labels.device)[:num_positives]],
        negatives[torch.randperm(len(negatives), device=labels.device)[:num_negatives]],
    )
