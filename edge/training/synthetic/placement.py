"""Where defects lie: which classes a frame shows, how many components, and free places for them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.training.synthetic.chance import chance
from edge.training.synthetic.sizes import Combination, draw_combination, draw_count, draw_size

_TRIES = 12
# Edges are in view on half of the strips, so that hairlines keep their share of all frames.
_HAIRLINES_BY_EDGE = 1.8
# Part of each class's components, the full-height ones apart, that the frame's first and last row cut.
_CUT = ((0.07, 0.07), (0.27, 0.34), (0.19, 0.25), (0.14, 0.17))
_GAP_PX = 4  # between components, so that they stay components


@dataclass(frozen=True, slots=True)
class Place:
    """A component to be drawn: class and box in px, end exclusive."""

    class_id: int
    x0: int
    y0: int
    x1: int
    y1: int

    def near(self, other: "Place") -> bool:
        """Whether the boxes are closer than the gap that keeps components apart."""
        return (
            self.x0 < other.x1 + _GAP_PX
            and other.x0 < self.x1 + _GAP_PX
            and self.y0 < other.y1 + _GAP_PX
            and other.y0 < self.y1 + _GAP_PX
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """The steel of one frame: columns [x0, x1), rows [0, height_px), and on which side its edge is seen."""

    x0: int
    x1: int
    height_px: int
    side: int  # as Coil.side

    @property
    def width_px(self) -> int:
        """Columns of steel."""
        return self.x1 - self.x0


def place_defects(
    combinations: dict[Combination, float], ground: Ground, rng: np.random.Generator
) -> tuple[Place, ...]:
    """Draw the components of one defective frame; none overlap."""
    places: list[Place] = []
    for class_id in draw_combination(_likely_here(combinations, ground), rng):
        cluster = rng.uniform(ground.x0, ground.x1)
        sizes = [draw_size(class_id, rng) for _ in range(draw_count(class_id, rng))]
        # The largest first, while there is room for it.
        for size in sorted(sizes, key=math.prod, reverse=True):
            place = _free_place(_tries(class_id, size, ground, cluster, rng), places)
            if place is not None:
                places.append(place)
    return tuple(places)


def _likely_here(combinations: dict[Combination, float], ground: Ground) -> dict[Combination, float]:
    """Shift hairlines (class id 1) to the strips whose edge is in view, along which real ones lie."""
    factor = _HAIRLINES_BY_EDGE if ground.side else 2.0 - _HAIRLINES_BY_EDGE
    return {classes: weight * (factor if 1 in classes else 1.0) for classes, weight in combinations.items()}


def _tries(
    class_id: int, size: tuple[int, int], ground: Ground, cluster: float, rng: np.random.Generator
) -> Iterator[Place]:
    """Likely places of a component, one after the other."""
    height, width = min(size[0], ground.height_px), min(size[1], ground.width_px)
    for _ in range(_TRIES):
        x0 = _draw_x(class_id, ground, width, cluster, rng)
        y0 = _draw_y(class_id, height, ground.height_px, rng)
        yield Place(class_id, x0, y0, x0 + width, y0 + height)


def _free_place(tries: Iterator[Place], taken: list[Place]) -> Place | None:
    """The first that keeps its distance from all that is there."""
    return next((place for place in tries if not any(place.near(other) for other in taken)), None)


def _draw_x(class_id: int, ground: Ground, width: int, cluster: float, rng: np.random.Generator) -> int:
    """Class 1 clusters loosely, class 2 keeps near the strip's edge, the others lie anywhere."""
    low, high = ground.x0, max(ground.x0 + 1, ground.x1 - width)
    if class_id == 0 and chance(0.75, rng):
        near_cluster = int(rng.normal(cluster, 170))
        if low < near_cluster < high:
            return near_cluster
    if class_id == 1 and ground.side:
        from_edge = rng.gamma(3.0, 30.0)
        near_edge = ground.x0 + from_edge if ground.side < 0 else ground.x1 - from_edge - width
        return int(np.clip(near_edge, low, high - 1))
    return int(rng.integers(low, high))


def _draw_y(class_id: int, height: int, height_px: int, rng: np.random.Generator) -> int:
    """Uniform, but some components are cut by the frame's first or last row."""
    room = height_px - height
    if room <= 0:
        return 0
    top, bottom = _CUT[class_id]
    return int(rng.choice([0, room, int(rng.integers(0, room + 1))], p=[top, bottom, 1.0 - top - bottom]))
