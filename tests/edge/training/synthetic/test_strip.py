"""The synthetic strip: the same for the same seed, seamless, and with a truth that fits its pictures."""

import subprocess
import sys
from functools import cache

import cv2
import numpy as np
import pytest

from edge.training.synthetic import BALANCED_COMBINATIONS, SyntheticFrame, SyntheticStrip
from edge.training.synthetic.coil import make_coil

FRAMES = 60


@cache
def frames(*, defect_rate: float = 0.53) -> list[SyntheticFrame]:
    """Frames of as many coils; drawn once for all tests."""
    strip = SyntheticStrip(11, defect_rate=defect_rate, frames_per_coil=1)
    return [strip.frame(index) for index in range(FRAMES)]


def test_a_frame_depends_on_seed_and_index_alone() -> None:
    """A strip that starts in the middle draws the frame that another one reached from the start."""
    first = SyntheticStrip(3)
    expected = [first.frame(index) for index in range(4)]
    again = SyntheticStrip(3).frame(3)
    assert np.array_equal(again.image, expected[3].image)
    assert again.defects == expected[3].defects


def test_the_strip_is_drawn_without_torch() -> None:
    """Cameras that show the strip start in a moment: what they import does not load torch."""
    check = "import sys, edge.training.synthetic; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_another_seed_is_another_strip() -> None:
    """Two seeds share no frame."""
    assert not np.array_equal(SyntheticStrip(1).frame(0).image, SyntheticStrip(2).frame(0).image)


@pytest.mark.parametrize(("width", "height"), [(1600, 256), (640, 128), (2048, 512)])
def test_frames_have_the_size_asked_for(width: int, height: int) -> None:
    """Cameras differ; the strip is drawn for any of them."""
    image = SyntheticStrip(5, width_px=width, height_px=height).frame(1).image
    assert image.shape == (height, width)
    assert image.dtype == np.uint8


def test_coils_follow_one_another_and_rows_are_counted_from_each_start() -> None:
    """The frame says on which coil it lies, and where."""
    strip = SyntheticStrip(1, width_px=320, frames_per_coil=3)
    assert [(f.coil, f.row_px) for f in map(strip.frame, range(5))] == [
        (0, 0),
        (0, 256),
        (0, 512),
        (1, 0),
        (1, 256),
    ]


def test_edges_and_streaks_go_on_from_frame_to_frame() -> None:
    """The last rows of a frame resemble the first rows of the next more than those of another coil."""
    strip = SyntheticStrip(8, defect_rate=0.0, frames_per_coil=8)
    gaps, jumps = [], []
    for index in range(6):
        end, start, other = (
            strip.frame(i).image[rows].mean(axis=0)
            for i, rows in ((index, -1), (index + 1, 0), (index + 40, 0))
        )
        light = make_coil(8, 0, 1600, 256).light()
        gaps.append(np.abs(end / light[-1] - start / light[0]).mean())
        jumps.append(np.abs(end - other).mean())
    assert np.mean(gaps) < 0.5 * np.mean(jumps)


def test_the_truth_lies_within_the_frame_and_fills_its_boxes() -> None:
    """Each mask is cropped to its box, is one connected component, and lies within the frame."""
    for frame in frames(defect_rate=1.0):
        for defect in frame.defects:
            x0, y0, x1, y1 = defect.box_px
            assert 0 <= x0 < x1 <= 1600
            assert 0 <= y0 < y1 <= 256
            assert (defect.mask.x, defect.mask.y) == (x0, y0)
            crop = defect.mask.decode()
            assert crop.shape == (y1 - y0, x1 - x0)
            assert all(side.any() for side in (crop[0], crop[-1], crop[:, 0], crop[:, -1]))
            assert cv2.connectedComponents(crop.astype(np.uint8), connectivity=8)[0] == 2


def test_masks_never_overlap() -> None:
    """A pixel belongs to one defect at most, as in the real data."""
    for frame in frames(defect_rate=1.0):
        covered = np.zeros(frame.image.shape, np.uint8)
        for defect in frame.defects:
            x0, y0, x1, y1 = defect.box_px
            covered[y0:y1, x0:x1] += defect.mask.decode()
        assert covered.max() <= 1


def test_the_truth_is_where_the_picture_changes() -> None:
    """The same frame with and without defects differs within the masks, and nowhere else."""
    strips = [
        SyntheticStrip(4, defect_rate=rate, frames_per_coil=1, combinations=BALANCED_COMBINATIONS)
        for rate in (0.0, 1.0)
    ]
    for index in range(6):
        clean, marked = (strip.frame(index) for strip in strips)
        # The noise is drawn after the defects and differs; blurring takes it away.
        change = np.abs(cv2.blur(marked.image, (9, 9)).astype(int) - cv2.blur(clean.image, (9, 9)))
        inside = np.zeros(marked.image.shape, np.uint8)
        for defect in marked.defects:
            x0, y0, x1, y1 = defect.box_px
            inside[y0:y1, x0:x1] |= defect.mask.decode()
        beyond = cv2.dilate(inside, np.ones((13, 13), np.uint8)) == 0
        assert change[beyond].mean() < 2.5
        if marked.defects:
            assert change[inside == 1].mean() > change[beyond].mean()


def test_clean_strips_have_no_defects() -> None:
    """A rate of 0 is a strip of hard negatives alone."""
    strip = SyntheticStrip(2, width_px=400, defect_rate=0.0)
    assert not any(strip.frame(index).defects for index in range(20))


def test_the_edge_is_sharp() -> None:
    """Grey rises from black to steel within a few pixels."""
    for seed in range(20):
        coil = make_coil(seed, 0, 1600, 256)
        if coil.side < 0 and coil.edge_px < 1400:
            image = SyntheticStrip(seed, defect_rate=0.0).frame(0).image[:8].astype(float)
            edge = int(coil.edge_at(0))
            assert image[:, max(0, edge - 40) : edge - 12].mean() < 10
            assert image[:, edge + 70 : edge + 140].mean() > 20
