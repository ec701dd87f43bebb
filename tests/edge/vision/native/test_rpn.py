"""Proposals."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from edge.vision.native.config import parse_config
from edge.vision.native.rpn import RegionProposalNetwork, RpnOutput

Raw = Callable[..., dict[str, Any]]
STRIDES = {f"p{level}": 2**level for level in range(2, 7)}


@pytest.fixture
def network(raw_config: Raw) -> RegionProposalNetwork:
    """The tiny model's, in evaluation mode."""
    torch.manual_seed(0)
    return RegionProposalNetwork(parse_config(raw_config()).model, 16, STRIDES).eval()


@pytest.fixture
def output(network: RegionProposalNetwork) -> RpnOutput:
    """What it says of two noise pyramids of a 64 x 128 px input."""
    features = {name: torch.randn(2, 16, 64 // s, 128 // s) for name, s in STRIDES.items()}
    with torch.no_grad():
        return network(features)


def test_every_anchor_gets_a_logit_and_four_deltas(output: RpnOutput) -> None:
    """Anchors, logits and deltas of a level correspond."""
    for anchors, objectness, deltas in zip(output.anchors, output.objectness, output.deltas, strict=True):
        assert objectness.shape == (2, len(anchors))
        assert deltas.shape == (2, len(anchors), 4)
    assert [len(anchors) for anchors in output.anchors] == [3 * 16 * 32, 3 * 8 * 16, 3 * 4 * 8, 24, 6]


def test_proposals_are_the_best_inside_the_image(network: RegionProposalNetwork, output: RpnOutput) -> None:
    """Each image's proposals are clipped to its own size, best first, and no more than asked for."""
    sizes = [(64, 128), (40, 100)]
    for proposals, (height, width) in zip(network.select(output, sizes), sizes, strict=True):
        assert 0 < len(proposals.boxes) <= 10
        assert (proposals.objectness.diff() <= 0).all()
        assert (proposals.boxes >= 0).all()
        assert (proposals.boxes <= torch.tensor([width, height, width, height])).all()


def test_training_takes_more_proposals_than_testing(
    network: RegionProposalNetwork, output: RpnOutput
) -> None:
    """train() and eval() switch between the config's two numbers."""
    tested = network.select(output, [(64, 128)] * 2)[0]
    trained = network.train().select(output, [(64, 128)] * 2)[0]
    assert (len(tested.boxes), len(trained.boxes)) == (10, 20)


def test_an_image_s_proposals_do_not_depend_on_its_neighbours(
    network: RegionProposalNetwork, output: RpnOutput
) -> None:
    """The second image alone gives what it gives in the batch."""
    alone = RpnOutput(output.anchors, [x[1:] for x in output.objectness], [x[1:] for x in output.deltas])
    batched = network.select(output, [(64, 128)] * 2)[1]
    torch.testing.assert_close(network.select(alone, [(64, 128)])[0].boxes, batched.boxes)


def test_outputs_that_are_not_finite_are_left_out_or_stop_training(
    network: RegionProposalNetwork, output: RpnOutput
) -> None:
    """At work a broken number costs its proposal; in training it means divergence."""
    output.deltas[0].fill_(torch.nan)
    assert all(p.boxes.isfinite().all() for p in network.select(output, [(64, 128)] * 2))
    with pytest.raises(FloatingPointError, match="diverged"):
        network.train().select(output, [(64, 128)] * 2)


def test_several_hidden_convolutions_have_detectron2_s_names(raw_config: Raw) -> None:
    """CONV_DIMS of one keeps the old name; more are numbered."""
    model = parse_config(raw_config(**{"MODEL.RPN.CONV_DIMS": [-1, 24]})).model
    state = RegionProposalNetwork(model, 16, STRIDES).state_dict()
    assert state["rpn_head.conv.conv0.weight"].shape == (16, 16, 3, 3)
    assert state["rpn_head.conv.conv1.weight"].shape == (24, 16, 3, 3)
    assert state["rpn_head.anchor_deltas.weight"].shape == (12, 24, 1, 1)
