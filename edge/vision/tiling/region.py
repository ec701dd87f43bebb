"""The pixels of a detection, wherever on a large frame they lie."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.vision.tiling.plan import Rectangle


@dataclass(frozen=True)
class Region:
    """Pixels of a frame: those of ``pixels``, (H, W) bool, laid over ``bounds``; without it all of them."""

    bounds: Rectangle
    pixels: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, box: tuple[float, float, float, float], mask: Mask | None) -> Self:
        """Return the mask's pixels; those that the box touches where there is no mask, or an empty one."""
        if mask is None or not mask.area_px:
            x0, y0, x1, y1 = box
            return cls(Rectangle(int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))))
        return cls(Rectangle(mask.x, mask.y, mask.x + mask.width, mask.y + mask.height), mask.decode())

    @cached_property
    def area(self) -> int:
        """Number of pixels."""
        return self.bounds.area if self.pixels is None else int(np.count_nonzero(self.pixels))

    def within(self, window: Rectangle) -> "Region":
        """Return the part of it that lies in a window."""
        return Region(self.bounds.common(window), self.pixels_in(window))

    def shared_with(self, other: "Region") -> int:
        """Return how many pixels two regions have in common."""
        common = self.bounds.common(other.bounds)
        ours, theirs = self.pixels_in(common), other.pixels_in(common)
        if ours is None or theirs is None:
            both = ours if theirs is None else theirs
            return common.area if both is None else int(np.count_nonzero(both))
        return int(np.count_nonzero(ours & theirs))

    def pixels_in(self, window: Rectangle) -> npt.NDArray[np.bool_] | None:
        """Return those of ``pixels`` that lie in a window; None if all of ``bounds`` counts."""
        if self.pixels is None:
            return None
        part, (x, y, _, _) = self.bounds.common(window), self.bounds
        if part.is_empty:
            return np.zeros((0, 0), np.bool_)
        return self.pixels[part.y0 - y : part.y1 - y, part.x0 - x : part.x1 - x]


def united(masks: list[Mask]) -> Mask:
    """Return the mask of all pixels of several masks, cropped to the rectangle around them."""
    x0, y0 = min(mask.x for mask in masks), min(mask.y for mask in masks)
    x1, y1 = max(mask.x + mask.width for mask in masks), max(mask.y + mask.height for mask in masks)
    union = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for mask in masks:
        x, y = mask.x - x0, mask.y - y0
        union[y : y + mask.height, x : x + mask.width] |= mask.decode()
    return Mask.encode(union, x=x0, y=y0)
