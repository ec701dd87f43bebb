"""Back to the frame: boxes and masks."""

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from edge.contracts.mask import Mask
from edge.vision.native.postprocess import paste, to_frame
from edge.vision.native.rcnn import RawDetections
from edge.vision.native.roi_heads import BoxDetections


def _raw(boxes: list[list[float]], masks: torch.Tensor | None = None) -> RawDetections:
    count = len(boxes)
    scores, classes = torch.linspace(0.9, 0.5, count), torch.arange(count)
    return RawDetections(BoxDetections(torch.tensor(boxes), scores, classes), masks)


def _full(mask: Mask, height: int, width: int) -> npt.NDArray[np.bool_]:
    full = np.zeros((height, width), np.bool_)
    full[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = mask.decode()
    return full


def _pasted_over_the_whole_frame(
    probabilities: torch.Tensor, box: list[float], height: int, width: int
) -> npt.NDArray[np.bool_]:
    """Detectron2's definition: sample the mask bilinearly at every pixel centre of the frame."""
    x0, y0, x1, y1 = box
    x = (torch.arange(width) + 0.5 - x0) / (x1 - x0) * 2 - 1
    y = (torch.arange(height) + 0.5 - y0) / (y1 - y0) * 2 - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None].float()
    sampled = functional.grid_sample(probabilities[None, None], grid, align_corners=False)
    return (sampled[0, 0] >= 0.5).numpy()


@given(
    seed=st.integers(0, 2**16),
    x0=st.floats(0, 55, width=32),
    y0=st.floats(0, 35, width=32),
    width=st.floats(0.25, 60, width=32),
    height=st.floats(0.25, 40, width=32),
)
def test_a_pasted_mask_is_what_sampling_the_whole_frame_gives(
    seed: int, x0: float, y0: float, width: float, height: float
) -> None:
    """No pixel is lost outside the crop, wherever the box lies; on the threshold rounding may decide."""
    probabilities = torch.rand(28, 28, generator=torch.Generator().manual_seed(seed))
    box = [x0, y0, min(x0 + width, 60.0), min(y0 + height, 40.0)]
    mask = paste(probabilities.numpy(), np.array(box, np.float32), (40, 60))
    expected = _pasted_over_the_whole_frame(probabilities, box, 40, 60)
    assert (_full(mask, 40, 60) != expected).sum() <= 1


def test_a_mask_is_no_larger_than_its_box_and_a_pixel_around() -> None:
    """A small defect on a large frame costs a small array."""
    mask = paste(np.ones((28, 28), np.float32), np.array([100.2, 50.7, 110.9, 60.1], np.float32), (256, 1600))
    assert (mask.x, mask.y, mask.x + mask.width, mask.y + mask.height) == (99, 49, 112, 62)


def test_masks_at_the_frame_s_edge_stay_inside() -> None:
    """The pixel around the box ends at the frame."""
    mask = paste(np.ones((28, 28), np.float32), np.array([0.0, 0.0, 60.0, 40.0], np.float32), (40, 60))
    assert (mask.x, mask.y, mask.width, mask.height) == (0, 0, 60, 40)
    assert mask.area_px == 60 * 40


def test_boxes_are_scaled_to_the_frame_and_clipped() -> None:
    """Widths scale x, and heights y."""
    found = to_frame(_raw([[10.0, 10.0, 20.0, 30.0], [40.0, 0.0, 100.0, 100.0]]), (50, 100), (100, 300))
    assert found.boxes.tolist() == [[30, 20, 60, 60], [120, 0, 300, 100]]
    assert found.masks is None
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float32, np.float32, np.int64)


def test_a_box_without_area_is_left_out_with_its_mask() -> None:
    """Boxes, scores, classes and masks stay in step."""
    raw = _raw([[0.0, 0.0, 5.0, 5.0], [7.0, 7.0, 7.0, 9.0], [1.0, 1.0, 9.0, 9.0]], torch.ones(3, 28, 28))
    found = to_frame(raw, (10, 10), (10, 10))
    assert found.classes.tolist() == [0, 2]
    assert found.masks is not None
    assert len(found.masks) == len(found) == 2


def test_the_raw_detections_are_left_as_they_were() -> None:
    """Scaling works on a copy."""
    raw = _raw([[10.0, 10.0, 20.0, 30.0]])
    to_frame(raw, (50, 100), (100, 300))
    assert raw.found.boxes.tolist() == [[10, 10, 20, 30]]


def test_a_clean_frame_has_an_empty_answer() -> None:
    """No boxes, no masks, but a model with masks says so."""
    found = to_frame(
        RawDetections(
            BoxDetections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64)),
            torch.zeros(0, 28, 28),
        ),
        (10, 10),
        (10, 10),
    )
    assert found.boxes.shape == (0, 4)
    assert found.masks == ()
