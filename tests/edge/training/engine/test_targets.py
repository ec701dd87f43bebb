"""Which proposals a head learns from, and as what."""

import torch

from edge.training.engine.targets import Target, label_boxes, sample_proposals
from edge.vision.native.config import RoiHeads

BOXES = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]])
NO_MASKS = torch.zeros((1, 64, 64), dtype=torch.bool)


def test_ground_truth_joins_the_proposals() -> None:
    """With no proposal near it, a defect is still learned from: its own box is appended."""
    truth = Target(torch.tensor([[5.0, 5.0, 20.0, 20.0]]), torch.tensor([2]), NO_MASKS)
    heads = RoiHeads(num_classes=4, batch_size_per_image=8, positive_fraction=0.5)
    sampled = sample_proposals(BOXES[1:], truth, heads)
    assert sampled.classes.tolist() == [2, 4]
    assert torch.equal(sampled.boxes[0], truth.boxes[0])
    alone = RoiHeads(num_classes=4, proposal_append_gt=False)
    assert sample_proposals(BOXES[1:], truth, alone).classes.tolist() == [4]


def test_boxes_between_the_thresholds_are_ignored() -> None:
    """They are neither of a class nor background, and never sampled."""
    truth = Target(torch.tensor([[0.0, 0.0, 10.0, 4.5]]), torch.tensor([3]), NO_MASKS)
    labelled = label_boxes(BOXES, truth, thresholds=(0.4, 0.6), labels=(0, -1, 1), background=4)
    assert labelled.classes.tolist() == [-1, 4]
    heads = RoiHeads(
        num_classes=4, iou_thresholds=(0.4, 0.6), iou_labels=(0, -1, 1), proposal_append_gt=False
    )
    assert torch.equal(sample_proposals(BOXES, truth, heads).boxes, BOXES[1:])


def test_a_clean_image_has_background_alone() -> None:
    """And each box stands for its own truth, which no loss reads."""
    clean = Target(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64), NO_MASKS[:0])
    labelled = sample_proposals(BOXES, clean, RoiHeads(num_classes=4))
    assert labelled.classes.tolist() == [4, 4]
    assert torch.equal(labelled.true_boxes(clean), labelled.boxes)
