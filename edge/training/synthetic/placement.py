"""Where defects lie: which classes a frame shows, how many components, and free places for them."""

from dataclasses import dataclass

import numpy as np

from edge.training.synthetic.chance import chance
from edge.training.synthetic.sizes import Combination, draw_combination, draw_count, draw_size

_TRIES = 12
# Edges are in view on half of the strips, so that hairlines keep their share of all frames.
_HAIRLINES_BY_EDGE = 1.8
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
        for _ in range(draw_count(class_id, rng)):
            place = _free_place(class_id, ground, cluster, places, rng)
            if place is not None:
                places.append(place)
    return tuple(places)


def _likely_here(combinations: dict[Combination, float], ground: Ground) -> dict[Combination, float]:
    """Shift hairlines (class id 1) to the strips whose edge is in view, along which real ones lie."""
    factor = _HAIRLINES_BY_EDGE if ground.side else 2.0 - _HAIRLINES_BY_EDGE
    return {classes: weight * (factor if 1 in classes else 1.0) for classes, weight in combinations.items()}


def _free_place(
    class_id: int, ground: Ground, cluster: float, taken: list[Place], rng: np.random.Generator
) -> Place | None:
    height, width = draw_size(class_id, rng)
    height, width = min(height, ground.height_px), min(width, ground.width_px)
    for _ in range(_TRIES):
        x0 = _draw_x(class_id, ground, width, cluster, rng)
        y0 = _draw_y(height, ground.height_px, rng)
        place = Place(class_id, x0, y0, x0 + width, y0 + height)
        if not any(place.near(other) for other in taken):
            return place
    return None


def _draw_x(class_id: int, ground: Ground, width: int, cluster: float, rng: np.random.Generator) -> int:
    """Class 1 clusters loosely, class 2 keeps near the strip's edge, the others lie anywhere."""
    low, high = ground.x0, max(ground.x0 + 1, ground.x1 - width)
    if class_id == 0 and chance(0.75, rng):
        return int(np.clip(rng.normal(cluster, 170), low, high - 1))
    if class_id == 1 and ground.side:
        from_edge = rng.gamma(3.0, 30.0)
        near_edge = ground.x0 + from_edge if ground.side < 0 else ground.x1 - from_edge - width
        return int(np.clip(near_edge, low, high - 1))
    return int(rng.integers(low, high))


def _draw_y(height: int, height_px: int, rng: np.random.Generator) -> int:
    """Uniform, but one component in six is cut by the frame's first or last row."""
    room = height_px - height
    if room <= 0:
        return 0
    return int(rng.choice([0, room, int(rng.integers(0, room + 1))], p=[0.08, 0.08, 0.84]))
