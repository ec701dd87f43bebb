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


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_inference_pools_what_learning_pools(sampling_ratio: int) -> None:
    """Ours on a CPU without gradients, torchvision's with them: the same cells of two images, by level."""
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(2, 3, 512 // s, 512 // s, generator=generator) for s in (4, 8, 16, 32)]
    corners, sides = (torch.rand(2, 60, 2, generator=generator) * size for size in (300, 500))
    boxes = list(torch.cat((corners, corners + sides), dim=2))
    learning = _pooler(sampling_ratio)(features, boxes)
    with torch.inference_mode():
        inference = _pooler(sampling_ratio)(features, boxes)
    torch.testing.assert_close(inference, learning, rtol=0, atol=1e-4)


def test_gradients_reach_the_features() -> None:
    """Training pools through the operator that has them."""
    feature = torch.ones(1, 1, 16, 16, requires_grad=True)
    pooler = BoxPooler(1, [4], sampling_ratio=2, aligned=True)
    pooler([feature], [torch.tensor([[8.0, 8.0, 24.0, 24.0]])]).sum().backward()
    assert feature.grad is not None
    assert feature.grad.sum().item() == pytest.approx(1.0)


def test_half_precision_stays_so_in_inference_on_a_cpu() -> None:
    """What comes next computes in it, too."""
    with torch.inference_mode():
        pooled = _pooler()(
            [torch.zeros(1, 3, 64 // s, 64 // s).bfloat16() for s in (4, 8, 16, 32)], [torch.ones(2, 4)]
        )
    assert pooled.dtype == torch.bfloat16
    assert pooled.is_contiguous(memory_format=torch.channels_last)
