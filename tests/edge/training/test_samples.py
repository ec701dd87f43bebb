"""Crops, flips and light leave the annotation true."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.mask import Mask
from edge.training.engine.paste import paste_defects
from edge.training.samples import Instance, Sample, augment, crop_sample, flip_sample, relight


def sample(x: int = 40, y: int = 20, width: int = 30, height: int = 50) -> Sample:
    """A frame of 256 x 128 px with one defect, whose pixels are the only bright ones."""
    image = np.full((128, 256), 60, np.uint8)
    crop = np.ones((height, width), np.bool_)
    crop[: height // 2, : width // 3] = False
    image[y : y + height, x : x + width][crop] = 200
    return Sample(image, (Instance(1, Mask.encode(crop, x=x, y=y)),))


def bright(picture: Sample) -> np.ndarray:
    """Where the picture shows its defect."""
    return picture.image > 100


@given(across=st.booleans(), along=st.booleans())
def test_a_flip_takes_the_mask_along(across: bool, along: bool) -> None:
    """The mask lies on the bright pixels after any flip, and two flips are none."""
    flipped = flip_sample(sample(), across=across, along=along)
    assert np.array_equal(flipped.mask_of_class(1), bright(flipped))
    again = flip_sample(flipped, across=across, along=along)
    assert np.array_equal(again.image, sample().image)
    assert again.instances == sample().instances


@given(x=st.integers(0, 156), y=st.integers(0, 64))
def test_a_crop_keeps_what_is_left_of_a_defect(x: int, y: int) -> None:
    """A crop's masks lie on its bright pixels; a defect of which little is left goes."""
    cropped = crop_sample(sample(), x, y, width=100, height=64)
    assert cropped.image.shape == (64, 100)
    if cropped.instances:
        assert np.array_equal(cropped.mask_of_class(1), bright(cropped))
    else:
        assert bright(cropped).sum() < 400 or min(bright(cropped).any(axis=i).sum() for i in (0, 1)) < 5


def test_boxes_of_cut_defects_are_tight() -> None:
    """The box is that of the mask which is left."""
    (instance,) = crop_sample(sample(), 50, 0, 100, 128).instances
    assert instance.box_px == (0, 20, 20, 70)


def test_relighting_keeps_black_black_and_clips_white() -> None:
    """Gain brightens; 0 stays 0, and nothing wraps around."""
    lit = relight(Sample(np.array([[0, 100, 250]], np.uint8), ()), gain=1.3, gamma=1.0)
    assert lit.image.tolist() == [[0, 130, 255]]


def test_augmentation_repeats_with_its_generator() -> None:
    """The same random numbers, the same picture."""
    first, again = (augment(sample(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert first.instances == again.instances


def test_a_pasted_defect_is_seen_and_annotated() -> None:
    """A defect on other steel keeps its contrast, and its mask lies on it."""
    clean = Sample(np.full((128, 256), 90, np.uint8), ())
    pasted = paste_defects(clean, [sample()], 1, np.random.default_rng(2))
    (instance,) = pasted.instances
    inside = pasted.mask_of_class(1)
    assert instance.class_id == 1
    assert pasted.image[inside].min() > 200
    assert abs(int(np.median(pasted.image[~inside])) - 90) <= 1
    assert (clean.image == 90).all()


def test_defects_are_not_pasted_beside_the_strip() -> None:
    """Where the target is black, nothing is pasted."""
    black = Sample(np.zeros((128, 256), np.uint8), ())
    assert not paste_defects(black, [sample()], 3, np.random.default_rng(3)).instances
