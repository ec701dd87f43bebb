"""The mask head's loss on cases that can be worked out by hand."""

import math

import pytest
import torch

from edge.training.engine.mask_losses import mask_loss, mask_targets


def test_mask_targets_are_cut_out_of_the_defects() -> None:
    """A box twice as wide as its defect sees it in its left half."""
    masks = torch.zeros((2, 64, 64), dtype=torch.bool)
    masks[1, 8:24, 8:16] = True
    cut = mask_targets(masks, torch.tensor([[8.0, 8.0, 24.0, 24.0]]), torch.tensor([1]), 8)
    assert cut[0, :, :4].all()
    assert not cut[0, :, 4:].any()


def test_mask_loss_reads_the_box_s_own_class() -> None:
    """The logits of other classes do not matter; class-agnostic ones are for all classes."""
    logits = torch.zeros(1, 4, 2, 2)
    logits[0, 3] = 20.0
    wanted = torch.ones(1, 2, 2, dtype=torch.bool)
    assert mask_loss(logits, torch.tensor([3]), wanted).item() == pytest.approx(0.0, abs=1e-6)
    assert mask_loss(logits, torch.tensor([0]), wanted).item() == pytest.approx(math.log(2))
    assert mask_loss(logits[:, :1], torch.tensor([3]), wanted).item() == pytest.approx(math.log(2))


def test_no_box_costs_nothing() -> None:
    """The loss is 0, and has a gradient."""
    empty = torch.zeros(0, 4, 2, 2, requires_grad=True)
    loss = mask_loss(empty, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
