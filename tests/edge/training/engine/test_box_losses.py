"""Losses of classes and boxes on cases that can be worked out by hand."""

import math

import pytest
import torch

from edge.training.engine.box_losses import (
    BOX_LOSSES,
    box_losses,
    box_regression_loss,
    class_loss,
    own_deltas,
)
from edge.training.engine.targets import LabelledBoxes, Target
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Model, RoiBoxHead, RoiHeads

BOXES = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]])
UNIT = BoxCoder((1.0, 1.0, 1.0, 1.0))


def test_class_loss_is_the_mean_and_box_loss_counts_all_boxes() -> None:
    """Uniform logits cost log 5; deltas of class 1 are off by 0.5 in one of two boxes."""
    config = Model(roi_heads=RoiHeads(num_classes=4), roi_box_head=RoiBoxHead(bbox_reg_loss_weight=3.0))
    truth = Target(BOXES[:1], torch.tensor([1]), torch.zeros((1, 64, 64), dtype=torch.bool))
    labelled = LabelledBoxes(BOXES, torch.tensor([1, 4]), torch.tensor([0, 0]))
    deltas = torch.full((2, 16), 9.0)
    deltas[0, 4:8] = torch.tensor([0.5, 0.0, 0.0, 0.0])
    losses = box_losses(torch.zeros(2, 5), deltas, [labelled], [truth], config=config, coder=UNIT)
    assert losses["loss_cls"].item() == pytest.approx(math.log(5))
    assert losses["loss_box_reg"].item() == pytest.approx(3 * 0.5 / 2)


def test_sigmoid_class_loss_leaves_the_background_s_logit_alone() -> None:
    """Four classes with logit 0 cost log 2 each, a sure and right one nothing."""
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0, 9.0], [50.0, -50.0, -50.0, -50.0, 9.0]])
    loss = class_loss(logits, torch.tensor([4, 0]), sigmoid=True)
    assert loss.item() == pytest.approx(4 * math.log(2) / 2)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_no_box_costs_nothing(sigmoid: bool) -> None:
    """The loss is 0, and has a gradient."""
    logits = torch.zeros((0, 5), requires_grad=True)
    loss = class_loss(logits, torch.zeros(0, dtype=torch.int64), sigmoid=sigmoid)
    loss.backward()
    assert loss.item() == 0.0


def test_smooth_l1_is_a_parabola_near_zero() -> None:
    """Below beta the loss is d^2 / 2 beta, above it |d| - beta / 2."""
    deltas = torch.tensor([[0.5, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]])

    def loss(beta: float) -> float:
        return box_regression_loss(deltas, BOXES, BOXES, coder=UNIT, kind="smooth_l1", beta=beta).item()

    assert loss(1.0) == pytest.approx(0.125 + 2.5)
    assert loss(0.0) == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("kind", "loss"), [("giou", 1 - 1 / 3), ("diou", 1 - 1 / 3 + 25 / 325), ("ciou", 1 - 1 / 3 + 25 / 325)]
)
def test_iou_losses_compare_boxes(kind: str, loss: float) -> None:
    """Half a side apart, two squares have IoU 1/3, fill their hull, and are 5 px apart in a 15 x 10 hull."""
    deltas = torch.tensor([[0.5, 0.0, 0.0, 0.0]])
    found = box_regression_loss(deltas, BOXES[:1], BOXES[:1], coder=UNIT, kind=kind, beta=0.0)
    assert found.item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_a_box_loss_without_boxes_is_zero(kind: str) -> None:
    """And has a gradient."""
    deltas = torch.zeros((0, 4), requires_grad=True)
    loss = box_regression_loss(deltas, BOXES[:0], BOXES[:0], coder=UNIT, kind=kind, beta=0.0)
    loss.backward()
    assert loss.item() == 0.0


def test_each_box_has_the_deltas_of_its_class() -> None:
    """Class-agnostic ones are for all classes."""
    by_class = torch.arange(16.0).view(2, 8)
    assert own_deltas(by_class, torch.tensor([1, 0])).tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]
    agnostic = by_class[:, :4]
    assert torch.equal(own_deltas(agnostic, torch.tensor([1, 0])), agnostic)
