"""Pixels of detections on a frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.mask import Mask
from edge.vision.tiling.plan import Rectangle
from edge.vision.tiling.region import Region, united

law = settings(deadline=None)  # a busy machine

SIDE = 24


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """A mask somewhere on a small frame, at least one pixel of it set."""
    x, y = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    width, height = draw(st.integers(1, SIDE - x)), draw(st.integers(1, SIDE - y))
    pixels = np.random.default_rng(draw(st.integers(0, 999))).random((height, width)) < 0.5
    pixels[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return Mask.encode(pixels, x=x, y=y)


def region_of(mask: Mask) -> Region:
    """The region of a mask that fills its box."""
    return Region.of((mask.x, mask.y, mask.x + mask.width, mask.y + mask.height), mask)


def pasted(mask: Mask) -> np.ndarray:
    """The mask on the whole frame."""
    frame = np.zeros((SIDE, SIDE), bool)
    frame[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = mask.decode()
    return frame


@law
@given(one=masks(), other=masks(), window=st.tuples(*[st.integers(0, SIDE)] * 4))
def test_regions_count_as_whole_frames_would(one: Mask, other: Mask, window: tuple[int, ...]) -> None:
    """Areas, parts within a window, and what two regions share."""
    x0, y0, x1, y1 = window
    a, b = pasted(one), pasted(other)
    cut_out = np.zeros((SIDE, SIDE), bool)
    cut_out[y0:y1, x0:x1] = True
    region, within = region_of(one), region_of(one).within(Rectangle(x0, y0, x1, y1))
    assert region.area == a.sum()
    assert within.area == (a & cut_out).sum()
    assert region.shared_with(region_of(other)) == (a & b).sum()
    assert within.shared_with(region_of(other)) == (a & b & cut_out).sum()


@law
@given(one=masks(), other=masks())
def test_united_masks_have_the_pixels_of_both(one: Mask, other: Mask) -> None:
    """And no others."""
    assert np.array_equal(pasted(united([one, other])), pasted(one) | pasted(other))


def test_without_a_mask_a_box_counts_in_whole_pixels() -> None:
    """So does a box whose mask is empty: what has no pixels would agree with nothing."""
    box = (1.5, 2.0, 4.2, 5.0)
    assert Region.of(box, None).bounds == Rectangle(1, 2, 5, 5)
    assert Region.of(box, Mask.encode(np.zeros((3, 3), bool))).area == 12
    touched = Region.of((0, 0, 3, 3), None)
    assert Region.of(box, None).shared_with(touched) == 2
    assert region_of(Mask.encode(np.eye(3, dtype=bool))).shared_with(touched) == 3
