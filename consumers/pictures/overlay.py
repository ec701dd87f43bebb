"""Masks and boxes on the frame itself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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
        if mark.mask is not None:
            _fill_mask(rgb, mark.mask, mark.colour, zoom)
            _outline_mask(rgb, mark.mask, mark.colour, zoom, line_px)
        _draw_box(rgb, mark, zoom, line_px)


def _fill_mask(rgb: Pixels, mask: Mask, colour: Colour, zoom: int) -> None:
    crop = _enlarged(mask, zoom)
    y, x = mask.y * zoom, mask.x * zoom
    region = rgb[y : y + crop.shape[0], x : x + crop.shape[1]]
    inside = crop[: region.shape[0], : region.shape[1]].astype(bool)
    region[inside] = (region[inside] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)


def _outline_mask(rgb: Pixels, mask: Mask, colour: Colour, zoom: int, thickness: int) -> None:
    """Draw the outline on a soft shadow, which lifts it off bright steel."""
    # A rim of zeros around the mask closes the outline of one that fills its box.
    rim = np.pad(_enlarged(mask, zoom), 1)
    offset = (mask.x * zoom - 1, mask.y * zoom - 1)
    contours, _ = cv2.findContours(rim, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=offset)
    with _blended(rgb, _SHADOW_STRENGTH) as drawn:
        cv2.polylines(
            drawn, contours, isClosed=True, color=_SHADOW, thickness=thickness + 2, lineType=cv2.LINE_AA
        )
    cv2.polylines(rgb, contours, isClosed=True, color=colour, thickness=thickness, lineType=cv2.LINE_AA)


def _draw_box(rgb: Pixels, mark: Mark, zoom: int, thickness: int) -> None:
    box = mark.box_px
    first = _fixed_point(box.x0, zoom), _fixed_point(box.y0, zoom)
    last = _fixed_point(box.x1, zoom), _fixed_point(box.y1, zoom)
    with _blended(rgb, _BOX_STRENGTH) as drawn:
        cv2.rectangle(drawn, first, last, mark.colour, thickness, cv2.LINE_AA, _SHIFT)


@contextmanager
def _blended(rgb: Pixels, strength: float) -> Iterator[Pixels]:
    """Give a copy to draw on, and mix it into the picture."""
    drawn = rgb.copy()
    yield drawn
    cv2.addWeighted(drawn, strength, rgb, 1 - strength, 0, dst=rgb)


def _enlarged(mask: Mask, zoom: int) -> Pixels:
    """Return the (H, W) mask as 0 and 1; an enlarged one gets a smooth outline instead of stairs."""
    crop = mask.decode().astype(np.uint8)
    if zoom == 1:
        return crop
    grey = cv2.resize(crop * 255, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return (grey > 127).astype(np.uint8)  # noqa: PLR2004 - half of 255


def _fixed_point(edge: float, zoom: int) -> int:
    """A box's edge lies between pixels, while cv2 counts from their centres."""
    return round((edge * zoom - 0.5) * _SUBPIXELS)
