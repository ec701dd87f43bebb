"""Frequencies and sizes of synthetic defects against Severstal's training set (figures of STATISTICS.md)."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from edge.training.synthetic import NATURAL_COMBINATIONS
from edge.training.synthetic.defects import draw_outline
from edge.training.synthetic.placement import Ground, place_defects
from edge.training.synthetic.sizes import draw_combination, draw_count, draw_size

# p25, p50 and p75 of the real components: height, width, and fill (area / box).
QUARTILES = {
    0: ((33, 44, 63), (21, 26, 32), (0.68, 0.77, 0.84)),
    1: ((124, 169, 218), (14, 19, 25), (0.63, 0.74, 0.84)),
    2: ((65, 159, 255), (22, 33, 65), (0.64, 0.78, 0.87)),
    3: ((59, 99, 156), (70, 126, 213), (0.53, 0.63, 0.72)),
}
COMPONENTS_PER_MASK = {0: 3.44, 1: 1.30, 2: 2.84, 3: 2.38}
# Part of components taller than twice their width.
TALL = {0: 0.33, 1: 1.0, 2: 0.61, 3: 0.05}


@pytest.mark.parametrize("class_id", range(4))
def test_heights_and_widths_have_the_real_quartiles(class_id: int) -> None:
    """Quartiles lie within 12 % of the real ones."""
    rng = np.random.default_rng(1)
    sizes = np.array([draw_size(class_id, rng) for _ in range(3000)])
    for axis, expected in enumerate(QUARTILES[class_id][:2]):
        assert np.percentile(sizes[:, axis], [25, 50, 75]) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("class_id", range(4))
def test_shapes_are_as_tall_as_the_real_ones(class_id: int) -> None:
    """As many components as in the real data are taller than twice their width, within 12 points."""
    rng = np.random.default_rng(2)
    sizes = np.array([draw_size(class_id, rng) for _ in range(3000)])
    assert (sizes[:, 0] > 2 * sizes[:, 1]).mean() == pytest.approx(TALL[class_id], abs=0.12)


@pytest.mark.parametrize("class_id", range(4))
def test_outlines_fill_their_boxes_as_the_real_ones_do(class_id: int) -> None:
    """The median of area over box lies within 0.08 of the real one."""
    rng = np.random.default_rng(3)
    fills = [draw_outline(class_id, *draw_size(class_id, rng), rng).mean() for _ in range(400)]
    assert np.median(fills) == pytest.approx(QUARTILES[class_id][2][1], abs=0.08)


@pytest.mark.parametrize("class_id", range(4))
def test_as_many_components_as_in_a_real_mask(class_id: int) -> None:
    """The mean number of components lies within 15 % of the real one."""
    rng = np.random.default_rng(4)
    counts = [draw_count(class_id, rng) for _ in range(4000)]
    assert np.mean(counts) == pytest.approx(COMPONENTS_PER_MASK[class_id], rel=0.15)


def test_classes_come_as_often_as_in_the_real_data() -> None:
    """Of the masks, 12.6 % are of class 1, 3.5 % of class 2, 72.6 % of class 3, 11.3 % of class 4."""
    rng = np.random.default_rng(5)
    drawn = Counter(chain.from_iterable(draw_combination(NATURAL_COMBINATIONS, rng) for _ in range(8000)))
    shares = [drawn[class_id] / drawn.total() for class_id in range(4)]
    assert shares == pytest.approx([0.126, 0.035, 0.726, 0.113], abs=0.012)


def test_class_1_and_class_4_never_meet() -> None:
    """None of 12,568 real frames shows both."""
    assert not any({0, 3} <= set(combination) for combination in NATURAL_COMBINATIONS)


def test_places_are_on_steel_and_apart() -> None:
    """Boxes stay on the strip and keep a gap to each other."""
    rng = np.random.default_rng(6)
    ground = Ground(x0=300, x1=1250, height_px=256, side=-1)
    for _ in range(200):
        places = place_defects(NATURAL_COMBINATIONS, ground, rng)
        for index, place in enumerate(places):
            assert 300 <= place.x0 < place.x1 <= 1250
            assert 0 <= place.y0 < place.y1 <= 256
            assert not any(place.near(other) for other in places[:index])


def test_class_2_keeps_near_the_edge() -> None:
    """Hairlines lie within a few hundred pixels of the strip's visible edge."""
    rng = np.random.default_rng(7)
    ground = Ground(x0=400, x1=1600, height_px=256, side=-1)
    offsets = [p.x0 - 400 for _ in range(300) for p in place_defects({(1,): 1.0}, ground, rng)]
    assert np.median(offsets) < 150
