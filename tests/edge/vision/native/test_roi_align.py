"""Cells of boxes on a CPU, against torchvision's operator."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edge.vision.native import roi_align
from edge.vision.native.roi_align import RoiAlign

HEIGHT, WIDTH, STRIDE = 12, 30, 8

# Eighths of a px: where a sample meets the border to the last bit, both must round alike to agree.
edges = st.integers(-8 * 400, 8 * 700).map(lambda eighths: eighths / 8)
sides = st.one_of(st.integers(0, 80).map(lambda eighths: eighths / 8), st.floats(0.125, 1500, width=32))
boxes = st.tuples(st.integers(0, 1), edges, edges, sides, sides).map(
    lambda box: (float(box[0]), box[1], box[2], box[1] + box[3], box[2] + box[4])
)
aligners = st.builds(
    RoiAlign, st.sampled_from((1, 2, 7)), st.just(1 / STRIDE), st.sampled_from((0, 1, 2, 3)), st.booleans()
)


def _map(dtype: torch.dtype = torch.float32) -> Tensor:
    """A feature map (2, 5, HEIGHT, WIDTH) of seeded noise."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, HEIGHT, WIDTH, generator=generator).to(dtype)


def _torchvision_s(align: RoiAlign, features: Tensor, rois: Tensor) -> Tensor:
    return torchvision.ops.roi_align(
        features,
        rois,
        align.resolution,
        spatial_scale=align.spatial_scale,
        sampling_ratio=align.sampling_ratio,
        aligned=align.aligned,
    )


@settings(deadline=None)
@given(aligners, st.lists(boxes, max_size=6), st.booleans())
def test_cells_are_torchvision_s(align: RoiAlign, rois: list[tuple[float, ...]], channels_last: bool) -> None:
    """Within 1e-4: tiny, huge, empty, partly or wholly beyond the map, aligned or not, sampled in any way."""
    features = _map()
    if channels_last:
        features = features.contiguous(memory_format=torch.channels_last)
    given_rois = torch.tensor(rois).view(-1, 5)
    cells = align(features, given_rois)
    torch.testing.assert_close(cells, _torchvision_s(align, features, given_rois), rtol=0, atol=1e-4)


@pytest.mark.parametrize("limit", ["MAX_SAMPLES", "MAX_WEIGHTS"])
def test_memory_is_bounded_and_nobody_notices(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for hardly a box at a time the cells are the same, in the same order."""
    generator = torch.Generator().manual_seed(1)
    corners, sizes = torch.rand(40, 2, generator=generator) * 200, torch.rand(40, 2, generator=generator) * 90
    rois = torch.cat((torch.arange(40.0)[:, None] % 2, corners, corners + sizes), dim=1)
    align = RoiAlign(7, 1 / STRIDE, 0, aligned=True)
    parts = len(list(align.parts(_map(), rois)))
    expected = align(_map(), rois)
    monkeypatch.setattr(roi_align, limit, 1)
    assert len(list(align.parts(_map(), rois))) > parts
    torch.testing.assert_close(align(_map(), rois), expected, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2**-7), (torch.float16, 2**-10)])
def test_half_precision_rounds_weights_and_results_alone(dtype: torch.dtype, tolerance: float) -> None:
    """A cell of hundreds of pixels is as exact as one of four: the sum itself is float32."""
    features = (_map() + 4).to(dtype)
    rois = torch.tensor([[0.0, 3.0, 2.0, 230.0, 90.0], [1.0, 50.0, 40.0, 60.0, 44.0]])
    align = RoiAlign(2, 1 / STRIDE, 0, aligned=True)
    cells = align(features, rois)
    assert cells.dtype == dtype
    expected = _torchvision_s(align, features.float(), rois)
    torch.testing.assert_close(cells.float(), expected, rtol=tolerance, atol=0)


def test_boxes_of_a_model_that_diverged_are_survived() -> None:
    """Not a number, or infinite: some cells come out, and memory is not asked for without end."""
    nowhere, endless = float("nan"), float("inf")
    rois = torch.tensor([[0.0, nowhere, 0.0, 9.0, 9.0], [1.0, 0.0, -endless, endless, 9.0]])
    assert RoiAlign(7, 1 / STRIDE, 0, aligned=True)(_map(), rois).shape == (2, 5, 7, 7)
