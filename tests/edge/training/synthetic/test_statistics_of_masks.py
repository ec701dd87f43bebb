"""Drawn ground truth against Severstal's: which classes, how many, how large, of which shape, where.

The real figures are those of all 12,568 annotated frames (classes, sizes) or of 5,171 masks (shapes, places).
The truth is drawn as frames have it: on strips of which half show their edge, and without overlaps.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest

from edge.training.synthetic import NATURAL_COMBINATIONS
from edge.training.synthetic.coil import make_coil
from edge.training.synthetic.defects import draw_outline
from edge.training.synthetic.placement import Ground, Place, place_defects
from edge.training.synthetic.sizes import Combination

FRAMES, FRAMES_PER_CLASS, STRIPS = 1500, 260, 200
LEVELS = [5, 25, 50, 75, 95]

# Frames of 6,666 defective ones.
COMBINATIONS = {(2,): 4759, (0,): 769, (3,): 516, (2, 3): 284, (1,): 195, (0, 2): 91, (0, 1): 35, (1, 2): 14}
SHARE_OF_MASKS = [0.126, 0.035, 0.726, 0.113]
# Part of the frames with the class that show 1, 2, 3, 4-5, 6-10, more than 10 components.
COMPONENTS_PER_MASK = [
    [0.441, 0.142, 0.075, 0.106, 0.190, 0.047],
    [0.737, 0.231, 0.028, 0.004, 0.0, 0.0],
    [0.308, 0.257, 0.164, 0.165, 0.098, 0.009],
    [0.391, 0.285, 0.145, 0.115, 0.061, 0.004],
]
# Percentiles 5, 25, 50, 75, 95 of the components.
HEIGHT_PX = [[24, 33, 44, 63, 157], [75, 124, 169, 218, 256], [21, 65, 159, 255, 256], [25, 59, 99, 156, 250]]
WIDTH_PX = [[17, 21, 26, 32, 51], [10, 14, 19, 25, 34], [13, 22, 33, 65, 370], [29, 70, 126, 213, 462]]
AREA_PX = [
    [369, 614, 860, 1393, 3523],
    [655, 1434, 2294, 3318, 5693],
    [246, 1843, 4219, 7086, 35621],
    [614, 2908, 7701, 17859, 50860],
]
FILL = [
    [0.55, 0.68, 0.77, 0.84, 0.92],
    [0.49, 0.63, 0.74, 0.84, 0.91],
    [0.40, 0.64, 0.78, 0.87, 0.95],
    [0.36, 0.53, 0.63, 0.72, 0.81],
]
SOLIDITY_MEDIAN = [0.95, 0.95, 0.96, 0.92]
SOLIDITY_P5 = [0.82, 0.92, 0.73, 0.67]
TALL = [0.33, 1.0, 0.61, 0.05]  # more than twice as high as wide
WIDE = [0.0, 0.0, 0.11, 0.24]  # and the reverse
FULL_HEIGHT = [0.02, 0.17, 0.35, 0.05]  # at least 250 px
TOUCHES_TOP = [0.08, 0.44, 0.36, 0.16]
TOUCHES_BOTTOM = [0.09, 0.44, 0.41, 0.20]


@dataclass(frozen=True, slots=True)
class Component:
    """What is compared of one drawn component; ``solidity`` is its part of its convex hull."""

    place: Place
    area_px: int
    solidity: float

    @property
    def height_px(self) -> int:
        return self.place.y1 - self.place.y0

    @property
    def width_px(self) -> int:
        return self.place.x1 - self.place.x0

    @property
    def fill(self) -> float:
        return self.area_px / (self.height_px * self.width_px)


@cache
def ground(number: int) -> Ground:
    """The steel in view of another coil."""
    coil = make_coil(7, number, 1600, 256)
    if not coil.side:
        return Ground(0, 1600, 256, 0)
    edge = round(coil.edge_at(0))
    return Ground(edge, 1600, 256, -1) if coil.side < 0 else Ground(0, edge, 256, 1)


@cache
def frames() -> tuple[tuple[Place, ...], ...]:
    """The places of the natural mixture."""
    return tuple(drawn(NATURAL_COMBINATIONS, FRAMES))


def drawn(combinations: dict[Combination, float], count: int) -> Iterator[tuple[Place, ...]]:
    """Places on strips that are wide enough to show what they are to show."""
    rng = np.random.default_rng(1)
    for number in range(count):
        steel = ground(number % STRIPS)
        if steel.width_px > 250:
            yield place_defects(combinations, steel, rng)


@cache
def components(class_id: int) -> list[Component]:
    """Components of one class with their outlines."""
    rng = np.random.default_rng(2)
    places = (place for frame in drawn({(class_id,): 1.0}, FRAMES_PER_CLASS) for place in frame)
    return [outlined(place, rng) for place in places]


def outlined(place: Place, rng: np.random.Generator) -> Component:
    """Draw a component's outline and measure it."""
    crop = draw_outline(place.class_id, place.y1 - place.y0, place.x1 - place.x0, rng).astype(np.uint8)
    (outline,), _ = cv2.findContours(np.pad(crop, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros((crop.shape[0] + 2, crop.shape[1] + 2), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(outline), 1)
    return Component(place, int(crop.sum()), float(crop.sum() / hull.sum()))


def percentiles(class_id: int, measure: str) -> np.ndarray:
    """(5,) percentiles 5, 25, 50, 75, 95 of a property of a class's components."""
    return np.percentile([getattr(c, measure) for c in components(class_id)], LEVELS)


def test_classes_meet_as_often_as_in_the_real_frames() -> None:
    """Each combination's share of the defective frames lies within 2 points of the real one."""
    met = Counter(tuple(sorted({place.class_id for place in frame})) for frame in frames())
    for combination, count in COMBINATIONS.items():
        assert met[combination] / met.total() == pytest.approx(count / 6666, abs=0.02), combination


def test_masks_are_of_each_class_as_often_as_in_the_real_frames() -> None:
    """Each class's share of the masks lies within 2 points of the real one."""
    masks = Counter(c for frame in frames() for c in {place.class_id for place in frame})
    assert [masks[c] / masks.total() for c in range(4)] == pytest.approx(SHARE_OF_MASKS, abs=0.02)


@pytest.mark.parametrize("class_id", range(4))
def test_masks_have_as_many_components_as_real_ones(class_id: int) -> None:
    """The part of the masks with 1, 2, 3, 4-5, 6-10 and more components: within 8 points."""
    counts = np.array([len(places) for places in drawn({(class_id,): 1.0}, 400)])
    bins = [(1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 99)]
    found = [float(((low <= counts) & (counts <= high)).mean()) for low, high in bins]
    assert found == pytest.approx(COMPONENTS_PER_MASK[class_id], abs=0.08)


@pytest.mark.parametrize("class_id", range(4))
@pytest.mark.parametrize(("measure", "real"), [("height_px", HEIGHT_PX), ("width_px", WIDTH_PX)])
def test_components_have_the_real_sizes(class_id: int, measure: str, real: list[list[int]]) -> None:
    """Quartiles of height and width within 18 % of the real ones, percentiles 5 and 95 within 28 %."""
    found = percentiles(class_id, measure)
    assert found[1:4] == pytest.approx(real[class_id][1:4], rel=0.18)
    assert found == pytest.approx(real[class_id], rel=0.28)


@pytest.mark.parametrize("class_id", range(4))
def test_components_have_the_real_areas(class_id: int) -> None:
    """Quartiles of the area within 30 % of the real ones, percentiles 5 and 95 within 70 %."""
    found = percentiles(class_id, "area_px")
    assert found[1:4] == pytest.approx(AREA_PX[class_id][1:4], rel=0.3)
    assert found == pytest.approx(AREA_PX[class_id], rel=0.7)


@pytest.mark.parametrize("class_id", range(4))
def test_components_fill_their_boxes_as_real_ones_do(class_id: int) -> None:
    """Quartiles of area over box within 0.07 of the real ones, percentiles 5 and 95 within 0.14."""
    found = percentiles(class_id, "fill")
    assert found[1:4] == pytest.approx(FILL[class_id][1:4], abs=0.07)
    assert found == pytest.approx(FILL[class_id], abs=0.14)


@pytest.mark.parametrize("class_id", range(4))
def test_components_are_as_solid_as_real_ones(class_id: int) -> None:
    """Area over convex hull: median within 0.03 of the real one, percentile 5 within 0.12."""
    found = percentiles(class_id, "solidity")
    assert found[2] == pytest.approx(SOLIDITY_MEDIAN[class_id], abs=0.03)
    assert found[0] == pytest.approx(SOLIDITY_P5[class_id], abs=0.12)


@pytest.mark.parametrize("class_id", range(4))
def test_components_are_as_tall_and_as_wide_as_real_ones(class_id: int) -> None:
    """The parts that are tall, wide, and of the frame's full height: within 8 points."""
    sizes = np.array([(c.height_px, c.width_px) for c in components(class_id)])
    height, width = sizes.T
    found = [(height > 2 * width).mean(), (width > 2 * height).mean(), (height >= 250).mean()]
    assert found == pytest.approx([TALL[class_id], WIDE[class_id], FULL_HEIGHT[class_id]], abs=0.08)


@pytest.mark.parametrize("class_id", range(4))
def test_the_frame_cuts_as_many_components_as_in_the_real_set(class_id: int) -> None:
    """The parts that touch the first and the last row lie within 9 points of the real ones."""
    places = [c.place for c in components(class_id)]
    top, bottom = np.mean([p.y0 == 0 for p in places]), np.mean([p.y1 == 256 for p in places])
    assert top == pytest.approx(TOUCHES_TOP[class_id], abs=0.09)
    assert bottom == pytest.approx(TOUCHES_BOTTOM[class_id], abs=0.09)
