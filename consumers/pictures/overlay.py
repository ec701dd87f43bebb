"""Masks and boxes on the frame itself."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from consumers.palette import Colour
from consumers.pictures.scene import Mark
from edge.contracts import Mask

Pixels = npt.NDArray[np.uint8]

_FILL = 0.2
_BOX_STRENGTH = 0.6
_SHADOW_STRENGTH = 0.45
# cv2 draws at fractions of a pixel when coordinates are given in units of 2 ** -shift.
_SHIFT = 4
_SUBPIXELS = 16
_SHADOW: Colour = (10, 12, 16)


def to_rgb(image: Pixels, zoom: int) -> Pixels:
    """Return a (H, W) grey or (H, W, 3) BGR image as RGB, each pixel ``zoom`` times as wide and high."""
    rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB)  # noqa: PLR2004
    if zoom > 1:
        rgb = cv2.resize(rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return rgb.astype(np.uint8, copy=False)


def draw_marks(rgb: Pixels, marks: Iterable[Mark], *, zoom: int, line_px: int) -> None:
    """Draw masks and boxes into the picture, the most certain ones last and thus on top."""
    for mark in reversed(list(marks)):
        if mark.mask is not None and mark.mask.area_px:
            _draw_mask(rgb, mark.mask, mark.colour, zoom, line_px)
        _draw_box(rgb, mark, zoom, line_px)


def draw_masks(rgb: Pixels, marks: Iterable[Mark], *, zoom: int, line_px: int) -> None:
    """Draw masks alone into the picture, the first one on top: known defects need no boxes around."""
    for mark in reversed(list(marks)):
        if mark.mask is not None and mark.mask.area_px:
            _draw_mask(rgb, mark.mask, mark.colour, zoom, line_px)


def _draw_mask(rgb: Pixels, mask: Mask, colour: Colour, zoom: int, line_px: int) -> None:
    """Fill the mask, and draw its outline on a soft shadow, which lifts it off bright steel."""
    crop = _enlarged(mask, zoom)
    height, width = crop.shape
    part, x, y = _part(rgb, mask.x * zoom, mask.y * zoom, width, height, margin=line_px + 3)
    if not part.size:
        return  # a mask beside the frame
    # A rim of zeros around the mask closes the outline of one that fills its box.
    contours, _ = cv2.findContours(
        np.pad(crop, 1), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x - 1, y - 1)
    )
    inside = part[y : y + height, x : x + width]
    set_pixels = crop[: inside.shape[0], : inside.shape[1]].astype(bool)
    inside[set_pixels] = (inside[set_pixels] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)
    with _blended(part, _SHADOW_STRENGTH) as drawn:
        _draw_outline(drawn, contours, _SHADOW, line_px + 2)
    _draw_outline(part, contours, colour, line_px)


def _draw_outline(picture: Pixels, contours: Sequence[Any], colour: Colour, thickness: int) -> None:
    cv2.polylines(picture, contours, isClosed=True, color=colour, thickness=thickness, lineType=cv2.LINE_AA)


def _draw_box(rgb: Pixels, mark: Mark, zoom: int, line_px: int) -> None:
    x0, y0, x1, y1 = (
        edge * zoom for edge in (mark.box_px.x0, mark.box_px.y0, mark.box_px.x1, mark.box_px.y1)
    )
    left, top = math.floor(x0), math.floor(y0)
    part, x, y = _part(rgb, left, top, math.ceil(x1) - left, math.ceil(y1) - top, margin=line_px + 2)
    if not part.size:
        return  # a box beside the frame
    first = _fixed_point(x0 - left + x), _fixed_point(y0 - top + y)
    last = _fixed_point(x1 - left + x), _fixed_point(y1 - top + y)
    with _blended(part, _BOX_STRENGTH) as drawn:
        cv2.rectangle(drawn, first, last, mark.colour, line_px, cv2.LINE_AA, _SHIFT)


def _part(
    rgb: Pixels, left: int, top: int, width: int, height: int, *, margin: int
) -> tuple[Pixels, int, int]:
    """Return the part of the picture around an area, and where in it the area begins: (part, x, y)."""
    x, y = max(left - margin, 0), max(top - margin, 0)
    part = rgb[y : max(top + height + margin, 0), x : max(left + width + margin, 0)]
    return part, left - x, top - y


@contextmanager
def _blended(part: Pixels, strength: float) -> Iterator[Pixels]:
    """Give a copy to draw on, and mix it into the picture."""
    drawn = part.copy()
    yield drawn
    part[:] = cv2.addWeighted(drawn, strength, part, 1 - strength, 0)


def _enlarged(mask: Mask, zoom: int) -> Pixels:
    """Return the (H, W) mask as 0 and 1; an enlarged one gets a smooth outline instead of stairs."""
    crop = mask.decode().astype(np.uint8)
    if zoom == 1:
        return crop
    grey = cv2.resize(crop * 255, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return (grey > 127).astype(np.uint8)  # noqa: PLR2004 - half of 255


def _fixed_point(edge: float) -> int:
    """A box's edge lies between pixels, while cv2 counts from their centres."""
    return round((edge - 0.5) * _SUBPIXELS)
