"""What is computed for each box."""

import pytest
import torch

from edge.vision.native.config import RoiBoxHead
from edge.vision.native.heads import BoxHead


@pytest.mark.parametrize("num_conv", [0, 1])
@pytest.mark.parametrize("num_fc", [0, 1, 2])
def test_flattening_by_convolution_changes_no_answer(num_conv: int, num_fc: int) -> None:
    """With and without layers of either kind, for cells of both layouts in memory, and for no boxes."""
    torch.manual_seed(0)
    head = BoxHead(
        RoiBoxHead(pooler_resolution=3, num_conv=num_conv, conv_dim=8, num_fc=num_fc, fc_dim=6), in_channels=5
    )
    head.requires_grad_(False)
    cells = torch.randn(4, 5, 3, 3)
    expected = head(cells)
    head.flatten_by_convolution()
    for given in (cells, cells.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(head(given), expected)
    assert head(cells[:0]).shape == (0, head.out_size)
