"""The losses on cases that can be worked out by hand."""

import math

import pytest
import torch

from edge.training.engine.losses import (
    SampledProposals,
    Target,
    box_losses,
    mask_loss,
    mask_targets,
    rpn_losses,
    sample_proposals,
    smooth_l1,
)
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Model, RoiHeads, Rpn
from edge.vision.native.rpn import RpnOutput

ANCHORS = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]])
UNIT = BoxCoder((1.0, 1.0, 1.0, 1.0))


def target(*boxes: tuple[float, float, float, float], classes: tuple[int, ...] = ()) -> Target:
    """A target of 64 x 64 px whose masks fill their boxes."""
    masks = torch.zeros((len(boxes), 64, 64), dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return Target(
        torch.tensor(boxes).reshape(-1, 4),
        torch.tensor(classes or [0] * len(boxes), dtype=torch.int64),
        masks,
    )


def test_objectness_loss_is_divided_by_the_number_sampled_for() -> None:
    """Two anchors with logit 0 cost log 2 each, divided by 2 images times 4 anchors."""
    config = Model(rpn=Rpn(batch_size_per_image=4, positive_fraction=0.5))
    output = RpnOutput([ANCHORS], [torch.zeros(2, 2)], [torch.zeros(2, 2, 4)])
    losses = rpn_losses(output, [target((0.0, 0.0, 10.0, 10.0)), target()], config, UNIT)
    assert losses["loss_rpn_cls"].item() == pytest.approx(4 * math.log(2) / 8)
    assert losses["loss_rpn_loc"].item() == 0.0


def test_anchor_boxes_are_learned_from_positives_alone() -> None:
    """An anchor whose defect lies 1 px to the right misses dx = 0.1; L1 over 1 image times 4 anchors."""
    config = Model(rpn=Rpn(batch_size_per_image=4, smooth_l1_beta=0.0))
    output = RpnOutput([ANCHORS], [torch.zeros(1, 2)], [torch.zeros(1, 2, 4)])
    losses = rpn_losses(output, [target((1.0, 0.0, 11.0, 10.0))], config, UNIT)
    assert losses["loss_rpn_loc"].item() == pytest.approx(0.1 / 4, rel=1e-5)


def test_ground_truth_joins_the_proposals() -> None:
    """With no proposal near it, a defect is still learned from: its own box is appended."""
    config = Model(roi_heads=RoiHeads(num_classes=4, batch_size_per_image=8, positive_fraction=0.5))
    truth = target((5.0, 5.0, 20.0, 20.0), classes=(2,))
    sampled = sample_proposals(ANCHORS[1:], truth, config)
    assert sampled.classes.tolist() == [2, 4]
    assert torch.equal(sampled.boxes[0], truth.boxes[0])


def test_class_loss_is_the_mean_and_box_loss_counts_all_sampled() -> None:
    """Uniform logits cost log 5; deltas of class 1 are off by 0.5 in one of two boxes."""
    config = Model(roi_heads=RoiHeads(num_classes=4))
    truth = target((0.0, 0.0, 10.0, 10.0), classes=(1,))
    sampled = SampledProposals(ANCHORS, torch.tensor([1, 4]), torch.tensor([0, 0]))
    deltas = torch.full((2, 16), 9.0)
    deltas[0, 4:8] = torch.tensor([0.5, 0.0, 0.0, 0.0])
    losses = box_losses(torch.zeros(2, 5), deltas, [sampled], [truth], config=config, coder=UNIT)
    assert losses["loss_cls"].item() == pytest.approx(math.log(5))
    assert losses["loss_box_reg"].item() == pytest.approx(0.5 / 2)


def test_smooth_l1_is_a_parabola_near_zero() -> None:
    """Below beta the loss is d^2 / 2 beta, above it |d| - beta / 2."""
    found, wanted = torch.tensor([0.5, 3.0]), torch.zeros(2)
    assert smooth_l1(found, wanted, beta=1.0).item() == pytest.approx(0.125 + 2.5)
    assert smooth_l1(found, wanted, beta=0.0).item() == pytest.approx(3.5)


def test_mask_targets_are_cut_out_of_the_defects() -> None:
    """A box twice as wide as its defect sees it in its left half."""
    truth = target((8.0, 8.0, 16.0, 24.0))
    cut = mask_targets(truth.masks, torch.tensor([[8.0, 8.0, 24.0, 24.0]]), torch.tensor([0]), 8)
    assert cut[0, :, :4].all()
    assert not cut[0, :, 4:].any()


def test_mask_loss_reads_the_boxs_own_class() -> None:
    """The logits of other classes do not matter; without boxes the loss is 0 and has a gradient."""
    logits = torch.zeros(1, 4, 2, 2)
    logits[0, 3] = 20.0
    wanted = torch.ones(1, 2, 2, dtype=torch.bool)
    assert mask_loss(logits, torch.tensor([3]), wanted).item() == pytest.approx(0.0, abs=1e-6)
    assert mask_loss(logits, torch.tensor([0]), wanted).item() == pytest.approx(math.log(2))
    empty = torch.zeros(0, 4, 2, 2, requires_grad=True)
    nothing = mask_loss(empty, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2, 2, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0.0
