"""Where the tiles of a frame lie, and which part of it each of them answers for."""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Rectangle(NamedTuple):
    """Whole pixels of a frame: columns [x0, x1), rows [y0, y1)."""

    x0: int
    y0: int
    x1: int
    y1: int

    def common(self, other: "Rectangle") -> "Rectangle":
        """Return what two rectangles have in common; ``is_empty`` if they have nothing."""
        return Rectangle(
            max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1)
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.x0 >= self.x1 or self.y0 >= self.y1

    @property
    def area(self) -> int:
        """Number of pixels, 0 for an empty one."""
        return 0 if self.is_empty else (self.x1 - self.x0) * (self.y1 - self.y0)


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a frame that the model looks at.

    ``core`` is what it answers for: neighbours share their overlap at its middle, so that the cores cover
    each pixel of the frame once.
    """

    area: Rectangle
    core: Rectangle


@lru_cache(maxsize=64)  # a line has few cameras, and a camera one size
def plan_tiles(
    width_px: int, height_px: int, *, tile_width_px: int, tile_height_px: int, overlap_px: int
) -> tuple[Tile, ...]:
    """Return the tiles of a frame, row by row; one that covers all of a frame that is no larger than a tile.

    Tiles are of one size, as few as the overlap allows and evenly spread: neighbours overlap by
    ``overlap_px`` or more. Where the frame is shorter than a tile, so is each tile.
    """
    columns = _spans(width_px, tile_width_px, overlap_px)
    rows = _spans(height_px, tile_height_px, overlap_px)
    return tuple(
        Tile(
            Rectangle(across.start, along.start, across.stop, along.stop),
            Rectangle(across.core_start, along.core_start, across.core_stop, along.core_stop),
        )
        for along, across in itertools.product(rows, columns)
    )


class _Span(NamedTuple):
    """A tile along one axis."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def _spans(length: int, tile: int, overlap: int) -> list[_Span]:
    if length <= tile:
        return [_Span(0, length, 0, length)]
    steps = -(-(length - tile) // (tile - overlap))  # rounded up
    starts = [round(step * (length - tile) / steps) for step in range(steps + 1)]
    middles = [(before + tile + after) // 2 for before, after in itertools.pairwise(starts)]
    return [
        _Span(start, start + tile, core_start, core_stop)
        for start, core_start, core_stop in zip(starts, [0, *middles], [*middles, length], strict=True)
    ]
