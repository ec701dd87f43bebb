"""Cutting boxes out of the pyramid."""

import pytest
import torch

from edge.vision.native.poolers import BoxPooler


def _pooler(sampling_ratio: int = 0) -> BoxPooler:
    return BoxPooler(2, [4, 8, 16, 32], sampling_ratio=sampling_ratio, aligned=True)


@pytest.mark.parametrize(
    ("side", "level"),
    [(1, 0), (111, 0), (112, 1), (223, 1), (224, 2), (447, 2), (448, 3), (5000, 3)],
)
def test_a_box_is_cut_from_the_level_that_fits_its_size(side: float, level: int) -> None:
    """224 px belong on stride 16, half the size one level below, and the ends take the rest."""
    assert _pooler().levels(torch.tensor([[0.0, 0.0, side, side]])).tolist() == [level]


def test_a_box_without_area_is_cut_from_the_finest_level() -> None:
    """log2 of nothing must not choose a level."""
    assert _pooler().levels(torch.tensor([[5.0, 5.0, 5.0, 9.0]])).tolist() == [0]


def test_boxes_come_out_in_the_order_in_which_they_went_in() -> None:
    """Image after image, whatever levels the boxes are cut from."""
    values = torch.arange(8.0).view(2, 4)
    features = [
        values[:, level].view(2, 1, 1, 1).expand(2, 1, 512 // stride, 512 // stride)
        for level, stride in enumerate((4, 8, 16, 32))
    ]
    small, large = [10.0, 10.0, 20.0, 20.0], [0.0, 0.0, 500.0, 500.0]
    pooled = _pooler()(features, [torch.tensor([large, small]), torch.tensor([small, large, large])])
    assert pooled.shape == (5, 1, 2, 2)
    assert pooled[:, 0, 0, 0].tolist() == [3, 0, 4, 7, 7]


def test_no_boxes_give_no_features() -> None:
    """An image without proposals is no special case."""
    features = [torch.zeros(1, 3, 64 // stride, 64 // stride) for stride in (4, 8, 16, 32)]
    assert _pooler()(features, [torch.zeros(0, 4)]).shape == (0, 3, 2, 2)


def test_half_precision_features_are_pooled_at_float32_places() -> None:
    """Features may be coarse, boxes may not."""
    ramp = torch.arange(400.0).view(1, 1, 1, 400).expand(1, 1, 8, 400)
    box = [torch.tensor([[1301.0, 4.0, 1303.0, 6.0]])]
    pooler = BoxPooler(1, [4], sampling_ratio=0, aligned=True)
    torch.testing.assert_close(
        pooler([ramp.bfloat16()], box), pooler([ramp], box), rtol=0, atol=1.0, check_dtype=True
    )
