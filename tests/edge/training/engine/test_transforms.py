"""Crop, resize, flip: pictures and their labels stay together."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.mask import Mask
from edge.training.engine.augment import draw_stretch, vary_picture
from edge.training.engine.choices import Augmentation
from edge.training.engine.config import Crop, Input
from edge.training.engine.crops import crop_anywhere, crop_at_defects
from edge.training.engine.stream import Preparation
from edge.training.engine.transforms import crop_size, to_example, train_size
from edge.training.samples import Instance, Sample

sizes = st.tuples(st.integers(20, 300), st.integers(20, 300))


def sample() -> Sample:
    """A bright square of 24 px on noise, 64x96 px."""
    image = np.random.default_rng(0).integers(40, 80, (64, 96)).astype(np.uint8)
    image[20:44, 30:54] = 220
    return Sample(image, (Instance(1, Mask.encode(np.ones((24, 24), np.bool_), x=30, y=20)),), "square")


def rng(seed: int = 0) -> np.random.Generator:
    """A generator."""
    return np.random.default_rng(seed)


@given(frame=sizes, seed=st.integers(0, 99))
def test_crops_have_the_sizes_of_detectron2_s_types(frame: tuple[int, int], seed: int) -> None:
    """Parts of the frame, or px; never more than the frame."""
    height, width = frame

    def draw(kind: str, size: tuple[float, float]) -> tuple[int, int]:
        crop = msgspec.convert({"ENABLED": True, "TYPE": kind, "SIZE": size}, Crop)
        return crop_size(crop, frame, rng(seed))

    assert draw("absolute", (50, 80)) == (min(50, height), min(80, width))
    assert draw("relative", (0.5, 0.25)) == (int(height * 0.5 + 0.5), int(width * 0.25 + 0.5))
    rows, columns = draw("relative_range", (0.5, 0.25))
    assert height * 0.5 - 1 <= rows <= height
    assert width * 0.25 - 1 <= columns <= width
    rows, columns = draw("absolute_range", (30, 60))
    assert min(30, height) <= rows <= min(60, height)
    assert min(30, width) <= columns <= min(60, width)
    assert crop_size(Crop(), frame, rng(seed)) == frame


def test_the_shortest_edge_is_chosen_or_drawn() -> None:
    """One of the list, or anything between two ends; the longest edge has a limit; 0 changes nothing."""
    choice = Input(min_size_train=(128, 256), max_size_train=400)
    assert {train_size((64, 96), choice, rng(seed)) for seed in range(20)} == {(128, 192), (256, 384)}
    between = Input(min_size_train=(64, 72), min_size_train_sampling="range")
    assert {train_size((64, 96), between, rng(seed))[0] for seed in range(99)} == set(range(64, 73))
    assert train_size((64, 640), Input(min_size_train=(128,), max_size_train=640), rng()) == (64, 640)
    assert train_size((64, 96), Input(min_size_train=0), rng()) == (64, 96)


def test_labels_are_resized_with_the_picture() -> None:
    """Boxes to fractions of px, masks to the nearest pixel."""
    example = to_example(sample(), (96, 192))
    assert example.image.shape == (1, 96, 192)
    assert example.boxes.tolist() == [[60.0, 30.0, 108.0, 66.0]]
    assert example.masks.sum() == 36 * 48
    assert (example.image[0][example.masks[0]] > 150).float().mean() > 0.95
    assert example.name == "square"


def test_a_defect_that_shrinks_to_nothing_is_dropped() -> None:
    """No box remains that no pixel supports."""
    dot = Instance(0, Mask.encode(np.ones((1, 1), np.bool_), x=5, y=5))
    example = to_example(replace(sample(), instances=(dot, *sample().instances)), (16, 24))
    assert example.classes.tolist() == [1]


@given(seed=st.integers(0, 200))
def test_crops_keep_what_they_show(seed: int) -> None:
    """Wherever a window lies, the mask covers the bright pixels of it, or too little was left of them."""
    for take in (crop_anywhere, crop_at_defects):
        cut = take(sample(), (40, 40), rng(seed))
        assert cut.image.shape == (40, 40)
        bright = cut.image > 200
        for instance in cut.instances:
            np.testing.assert_array_equal(cut.mask_of_class(instance.class_id), bright)
        assert cut.instances or bright.sum() < 24 * 24


def test_crops_at_defects_mostly_show_one() -> None:
    """Seven in ten for sure, and some of the others."""
    shown = [bool(crop_at_defects(sample(), (32, 32), rng(seed)).instances) for seed in range(200)]
    assert np.mean(shown) > 0.7


def test_augmentation_changes_grey_levels_not_places() -> None:
    """Nothing at all, tone, or more; the strong one alone stretches, and never shrinks along the strip."""
    original = sample()
    assert vary_picture(original, Augmentation.NONE, rng()) is original
    for level in (Augmentation.LIGHT, Augmentation.STRONG):
        varied = vary_picture(original, level, rng(3))
        assert varied.image.dtype == np.uint8
        assert not np.array_equal(varied.image, original.image)
        assert varied.instances == original.instances
        inside, outside = varied.image[22:42, 32:52].mean(), varied.image[50:].mean()
        assert inside > outside + 50
    stretches = [draw_stretch(Augmentation.STRONG, rng(seed)) for seed in range(100)]
    assert all(1.0 <= s.along <= 1.2 and 0.8 <= s.across <= 1.25 for s in stretches)
    assert len({s.across for s in stretches}) > 30
    assert draw_stretch(Augmentation.LIGHT, rng()).across == 1.0


@pytest.mark.parametrize("augmentation", list(Augmentation))
def test_prepared_pictures_have_the_crop_s_size(augmentation: Augmentation) -> None:
    """Stretched or not; the square is where its mask is."""
    crop = Crop(enabled=True, type="absolute", size=(32, 48))
    config = Input(min_size_train=0, crop=crop, random_flip="vertical")
    prepare = Preparation(config, augmentation, at_defects=True)
    for seed in range(30):
        example = prepare(sample(), rng(seed))
        assert example.image.shape == (1, 32, 48)
        for box, mask in zip(example.boxes, example.masks, strict=True):
            rows, columns = torch.nonzero(mask.any(1)), torch.nonzero(mask.any(0))
            edges = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (box - edges).abs().max() <= 1.0


def test_flips_follow_the_config() -> None:
    """In its direction alone, half of the time, and never if it says none."""

    def flipped(direction: str) -> set[tuple[bool, bool]]:
        config = msgspec.convert({"MIN_SIZE_TRAIN": 0, "RANDOM_FLIP": direction}, Input)
        boxes = [Preparation(config)(sample(), rng(seed)).boxes[0] for seed in range(40)]
        return {(bool(box[0] != 30), bool(box[1] != 20)) for box in boxes}

    x0, y0 = 96 - 54, 64 - 44
    assert (x0, y0) != (30, 20)
    assert flipped("none") == {(False, False)}
    assert flipped("horizontal") == {(False, False), (True, False)}
