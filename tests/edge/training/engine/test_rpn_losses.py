"""The proposal network's losses on cases that can be worked out by hand."""

import math

import pytest
import torch

from edge.training.engine.rpn_losses import rpn_losses, sample_anchors
from edge.training.engine.targets import Target
from edge.vision.native.boxes import BoxCoder
from edge.vision.native.config import Rpn
from edge.vision.native.rpn import RpnOutput

ANCHORS = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]])
UNIT = BoxCoder((1.0, 1.0, 1.0, 1.0))
SIZE = (64, 64)


def target(*boxes: tuple[float, float, float, float]) -> Target:
    """Defects of class 0, whose masks are not looked at."""
    count = len(boxes)
    masks = torch.zeros((count, *SIZE), dtype=torch.bool)
    return Target(torch.tensor(boxes).reshape(-1, 4), torch.zeros(count, dtype=torch.int64), masks)


def test_objectness_loss_is_divided_by_the_number_sampled_for() -> None:
    """Two anchors with logit 0 cost log 2 each, divided by 2 images times 4 anchors."""
    config = Rpn(batch_size_per_image=4, positive_fraction=0.5)
    output = RpnOutput([ANCHORS], [torch.zeros(2, 2)], [torch.zeros(2, 2, 4)])
    targets = [target((0.0, 0.0, 10.0, 10.0)), target()]
    losses = rpn_losses(output, targets, [SIZE, SIZE], config=config, coder=UNIT)
    assert losses["loss_rpn_cls"].item() == pytest.approx(4 * math.log(2) / 8)
    assert losses["loss_rpn_loc"].item() == 0.0


def test_anchor_boxes_are_learned_from_positives_alone() -> None:
    """An anchor whose defect lies 1 px to the right misses dx = 0.1; L1 over 1 image times 4 anchors."""
    config = Rpn(batch_size_per_image=4, smooth_l1_beta=0.0, bbox_reg_loss_weight=3.0, loss_weight=0.5)
    output = RpnOutput([ANCHORS], [torch.zeros(1, 2)], [torch.zeros(1, 2, 4)])
    losses = rpn_losses(output, [target((1.0, 0.0, 11.0, 10.0))], [SIZE], config=config, coder=UNIT)
    assert losses["loss_rpn_loc"].item() == pytest.approx(1.5 * 0.1 / 4, rel=1e-5)


def test_anchors_beyond_the_image_are_left_out_if_the_config_says_so() -> None:
    """BOUNDARY_THRESH counts px beyond the image's own size; -1 keeps all."""
    truth = target((0.0, 0.0, 10.0, 10.0))

    def chosen(boundary_thresh: int) -> list[int]:
        config = Rpn(boundary_thresh=boundary_thresh)
        positive, negative, _ = sample_anchors(ANCHORS, truth, (45, 45), config)
        return sorted((*positive.tolist(), *negative.tolist()))

    assert chosen(-1) == [0, 1]
    assert chosen(5) == [0]
    assert chosen(6) == [0, 1]
