"""Frames that show the same steel are found, whatever was done to them; others are not."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.training.data import open_dataset
from edge.training.data.duplicates import Duplicates, find_duplicates, groups_of, relief, same_steel

Image = npt.NDArray[np.uint8]


def steel(seed: int, height: int = 300, width: int = 300) -> Image:
    """Structure of every size, as on rough steel."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.normal(0, 12, (height // step, width // step)), (width, height)) for step in (3, 8, 20)
    ]
    return np.clip(110 + np.sum(layers, axis=0), 0, 255).astype(np.uint8)


def pairs(*images: Image) -> list[tuple[int, int]]:
    """Which of the pictures show the same steel."""
    return [(found.first, found.second) for found in same_steel([relief(image) for image in images])]


def recompressed(image: Image) -> Image:
    """The picture after a JPEG file of low quality."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0)


def relit(image: Image) -> Image:
    """Darker, flatter, and falling off to one side."""
    return (image * np.linspace(0.4, 0.7, image.shape[1])).astype(np.uint8)


@pytest.mark.parametrize("change", [np.copy, recompressed, relit])
def test_copies_are_found(change: object) -> None:
    """A copy stays one when it is compressed or lit otherwise; other steel does not become one."""
    assert callable(change)
    first = steel(1)
    assert pairs(steel(2), first, steel(3), change(first)) == [(1, 3)]


@pytest.mark.parametrize(("y", "x"), [(0, 60), (60, 0), (37, 51), (90, 20)])
def test_windows_that_overlap_are_found(y: int, x: int) -> None:
    """By any shift, along, across, or both ways, as long as they share a good part."""
    whole = steel(1)
    assert pairs(whole[:200, :200], steel(2)[:200, :200], whole[y : y + 200, x : x + 200]) == [(0, 2)]


def test_streaks_and_edges_of_the_strip_are_no_kinship() -> None:
    """All frames of a line have them at the same places."""
    images = [steel(seed) for seed in range(4)]
    for image in images:
        image[:, :70] = 0
        image[:, 150:158] = 230
        image[200:203] = 30
    assert pairs(*images) == []


def test_frames_without_structure_are_not_alike() -> None:
    """Black frames, and noise on plain steel, tell nothing."""
    noise = [np.random.default_rng(seed).normal(90, 1, (200, 200)).astype(np.uint8) for seed in range(3)]
    assert pairs(*noise, np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)) == []
    assert same_steel([]) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_groups_hold_every_frame_once_and_every_pair_together(chosen: list[tuple[int, int]]) -> None:
    """However the pairs are chained."""
    groups = groups_of(10, [Duplicates(first, second, 1.0) for first, second in chosen])
    assert sorted(index for group in groups for index in group) == list(range(10))
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    assert all(group_of[first] == group_of[second] for first, second in chosen)
    assert len(groups) >= 10 - len(chosen)


def test_chequer_plate_alone_is_alike_among_real_frames(shared_data: Path) -> None:
    """Three frames show the same pattern of diamonds; all others are different steel."""
    frames = [frame for frame in open_dataset(shared_data / "severstal").frames if frame.name < "1"]
    found = find_duplicates(frames)
    names = {frames[index].name for pair in found for index in (pair.first, pair.second)}
    assert names == {"01d590c5f.jpg", "0a3bbea4d.jpg", "0a65bd8d4.jpg"}
