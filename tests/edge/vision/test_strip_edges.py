"""The strip's edges on a frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import StripEdges
from edge.training.synthetic import SyntheticStrip
from edge.training.synthetic.coil import make_coil
from edge.vision.runtime import Image
from edge.vision.strip_edges import Seen, find_strip_edges, inspected_columns

law = settings(deadline=None)  # a busy machine

BOTH = Seen(operator=True, drive=True)
WIDTH, HEIGHT = 800, 64


def frame(start: int, end: int, *, steel: float = 90.0, black: float = 3.0, seed: int = 0) -> Image:
    """Noisy steel in the columns [start, end), noisy black beside it."""
    random = np.random.default_rng(seed)
    grey = np.full((HEIGHT, WIDTH), black)
    grey[:, start:end] = steel
    noise = random.normal(0, 1, grey.shape) * np.where(grey == steel, 0.1 * steel, 1.0)
    return np.clip(grey + noise, 0, 255).astype(np.uint8)


@law
@given(
    start=st.one_of(st.just(0), st.integers(4, 500)),
    steel=st.integers(25, 220),
    black=st.integers(0, 5),
    from_end=st.one_of(st.just(0), st.integers(4, 200)),
)
def test_edges_are_found_to_the_pixel_whatever_the_light(
    start: int, from_end: int, steel: int, black: int
) -> None:
    """On dark strip and on bright, on one side, both sides or none; no edge where there is no band."""
    edges = find_strip_edges(frame(start, WIDTH - from_end, steel=steel, black=black), BOTH)
    assert (edges.operator_px or 0) == pytest.approx(start, abs=1)
    assert (edges.drive_px or WIDTH) == pytest.approx(WIDTH - from_end, abs=1)
    assert (edges.operator_px is None) == (start == 0)
    assert (edges.drive_px is None) == (from_end == 0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(operator=True, drive=False), StripEdges(operator_px=100)),
        (Seen(operator=False, drive=True), StripEdges(drive_px=700)),
    ],
)
def test_only_edges_that_the_camera_may_see_are_looked_for(seen: Seen, expected: StripEdges) -> None:
    """What is black on the other side is strip as far as anybody knows."""
    assert find_strip_edges(frame(100, 700), seen) == expected


def test_colour_frames_have_edges_too() -> None:
    """Green tells them."""
    assert find_strip_edges(np.dstack([frame(100, 700)] * 3), BOTH) == StripEdges(
        operator_px=100, drive_px=700
    )


@pytest.mark.parametrize(
    "image",
    [
        frame(0, WIDTH),
        np.zeros((HEIGHT, WIDTH), np.uint8),
        frame(300, 300),
        frame(200, WIDTH, black=30.0),
        np.zeros((1, 1), np.uint8),
        np.full((3, 2), 90, np.uint8),
    ],
    ids=["no band", "black", "no strip", "grey beside it", "a pixel", "six pixels"],
)
def test_where_no_edge_is_sure_the_frame_is_strip(image: Image) -> None:
    """Rather inspect what is no strip than leave strip out."""
    edges = find_strip_edges(image, BOTH)
    assert edges == StripEdges()
    assert inspected_columns(edges, image.shape[1]) == (0, image.shape[1])


def test_light_that_fades_towards_the_border_makes_no_edge() -> None:
    """There is no step up from black to steel."""
    light = np.minimum(np.linspace(0.05, 2.0, WIDTH), 1.0)
    fading = np.clip(frame(0, WIDTH) * light, 0, 255).astype(np.uint8)
    assert find_strip_edges(fading, BOTH) == StripEdges()


@law
@given(start=st.integers(0, WIDTH), end=st.integers(0, WIDTH))
def test_no_strip_is_left_out(start: int, end: int) -> None:
    """What is inspected holds all strip and at least a margin beside it, cut in steps, for equal batches."""
    start, end = min(start, end), max(start, end)
    x0, x1 = inspected_columns(StripEdges(operator_px=start or None, drive_px=end), WIDTH)
    assert x0 <= max(0, start - 16)
    assert x1 >= min(WIDTH, end + 16)
    assert x0 % 64 == 0
    assert (WIDTH - x1) % 64 == 0


def test_edges_of_drawn_strip_are_where_they_were_drawn() -> None:
    """Slanted, with dim side faces, grooves and glitter along them: the strip is never cut."""
    strip, found = SyntheticStrip(5, frames_per_coil=1), 0
    for number in range(40):
        coil = make_coil(5, number, 1600, 256)
        edges = find_strip_edges(strip.frame(number).image, BOTH)
        drawn = sorted((coil.edge_at(0), coil.edge_at(1)))
        x0, x1 = inspected_columns(edges, 1600)
        if coil.side < 0:
            assert edges.operator_px == pytest.approx(drawn[0], abs=12)
            assert x0 < drawn[0]
        elif coil.side > 0:
            assert edges.drive_px == pytest.approx(drawn[1], abs=12)
            assert x1 > min(drawn[1], 1599)
        else:
            assert edges == StripEdges()
        found += edges != StripEdges()
    assert found > 10


def test_bands_of_real_frames_are_found(shared_data: Path) -> None:
    """Never on both sides, in under half of the frames, and what is cut off is black on all of them."""
    files = sorted((shared_data / "severstal").glob("t*_images/*.jpg"))
    left = right = 0
    for file in files:
        image = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)
        edges = find_strip_edges(image, BOTH)
        left, right = left + (edges.operator_px is not None), right + (edges.drive_px is not None)
        assert edges.operator_px is None or edges.drive_px is None
        x0, x1 = inspected_columns(edges, image.shape[1])
        beside = np.hstack([image[:, :x0], image[:, x1:]])
        assert not beside.size or np.percentile(beside, 99.9) < 30
    assert 0.15 * len(files) < left < 0.3 * len(files)
    assert 0.15 * len(files) < right < 0.35 * len(files)
