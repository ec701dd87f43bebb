"""Convolutions with norms, frozen and folded."""

import pytest
import torch
from torch import nn

from edge.vision.native.layers import NORMS, Conv2d, FrozenBatchNorm2d, fold_norms, freeze
from edge.vision.native.support import NORMS as SUPPORTED_NORMS


def _trained(norm: str) -> Conv2d:
    """A convolution whose batch norm has seen something."""
    torch.manual_seed(0)
    conv = Conv2d(3, 8, 3, bias=norm == "FrozenBN", norm=norm, relu=True)
    state = {name: torch.rand_like(value.float()) + 0.5 for name, value in conv.state_dict().items()}
    conv.load_state_dict(state)
    return conv.eval()


def test_the_config_check_allows_exactly_the_norms_that_exist() -> None:
    """The check imports no torch, so it holds names of its own."""
    assert set(SUPPORTED_NORMS) == {"", *NORMS}


@pytest.mark.parametrize("norm", ["BN", "FrozenBN", ""])
def test_folding_changes_the_parameters_and_not_the_answer(norm: str) -> None:
    """A folded convolution has no norm left and says the same."""
    conv, x = _trained(norm), torch.rand(2, 3, 9, 9)
    expected = conv(x)
    fold_norms(conv)
    assert conv.norm is None
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-5)


def test_group_norm_depends_on_the_image_and_is_left_alone() -> None:
    """It cannot be folded into weights."""
    conv = Conv2d(3, 32, 1, norm="GN")
    fold_norms(conv)
    assert isinstance(conv.norm, nn.GroupNorm)


def test_a_frozen_module_neither_learns_nor_counts() -> None:
    """Freezing keeps the answer, stops gradients, and turns batch norms into fixed ones."""
    block, x = nn.Sequential(_trained("BN")), torch.rand(1, 3, 5, 5)
    expected = block(x)
    freeze(block)
    assert not any(parameter.requires_grad for parameter in block.parameters())
    assert isinstance(block.get_submodule("0.norm"), FrozenBatchNorm2d)
    torch.testing.assert_close(block.train()(x), expected)
