"""Text, chips and lines around the frame.

Text is set in the typeface that Pillow carries (Aileron, Basic Latin): OpenCV's own stroke fonts have no
weight at small sizes, and a typeface of the machine would make pictures differ from one machine to the next.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from consumers.palette import Colour, luminance

BACKGROUND: Colour = (20, 23, 28)
TEXT: Colour = (236, 239, 244)
MUTED: Colour = (139, 148, 161)
LINE: Colour = (74, 82, 94)

_DARK_TEXT: Colour = (16, 18, 22)
_BRIGHT = 0.4
_SMOOTHING = 4

Point = tuple[int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def font(size_px: int) -> Font:
    """Return the typeface in a size."""
    return ImageFont.load_default(size_px)


class Canvas:
    """A dark sheet to put a frame on; coordinates are pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    def paste(self, rgb: npt.NDArray[np.uint8], x: int, y: int) -> None:
        """Put a (H, W, 3) RGB picture onto the sheet."""
        self._image.paste(Image.fromarray(rgb), (x, y))

    def line(self, first: Point, last: Point, colour: Colour = LINE) -> None:
        """Draw a straight line, one pixel wide."""
        self._draw.line([first, last], fill=colour)

    def text(
        self, x: float, y: float, text: str, size_px: int, colour: Colour, *, anchor: str = "lm"
    ) -> float:
        """Write a text at its anchor (Pillow's: l, m, r, then t, m, s for baseline); return its width."""
        self._draw.text((x, y), _spaced(text), fill=colour, font=font(size_px), anchor=anchor)
        return text_width(text, size_px)

    def upright_text(self, x: int, y: int, text: str, size_px: int, colour: Colour) -> None:
        """Write a text that reads from below to above, its middle at (x, y)."""
        strip = Image.new("L", (round(text_width(text, size_px)) + 2, size_px * 2))
        ImageDraw.Draw(strip).text((1, size_px), _spaced(text), fill=255, font=font(size_px), anchor="lm")
        turned = strip.transpose(Image.Transpose.ROTATE_90)
        self._image.paste(colour, (x - turned.width // 2, y - turned.height // 2), turned)

    def chip(self, x: float, y: float, text: str, size_px: int, colour: Colour) -> None:
        """Write a label on a filled, rounded ground."""
        width, height = (round(side) for side in chip_size(text, size_px))
        left, top = round(x), round(y)
        ground = Image.new("L", (width * _SMOOTHING, height * _SMOOTHING))
        ImageDraw.Draw(ground).rounded_rectangle(
            (0, 0, ground.width - 1, ground.height - 1), radius=size_px * _SMOOTHING // 4, fill=255
        )
        self._image.paste(colour, (left, top), ground.resize((width, height), Image.Resampling.BOX))
        ink = _DARK_TEXT if luminance(colour) > _BRIGHT else TEXT
        self.text(left + width / 2, top + height / 2, text, size_px, ink, anchor="mm")

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the sheet, (H, W, 3) RGB."""
        return np.asarray(self._image)


def text_width(text: str, size_px: int) -> float:
    """Return how many pixels a text is wide."""
    return float(font(size_px).getlength(_spaced(text)))


def chip_size(text: str, size_px: int) -> tuple[float, float]:
    """Return width and height of a label."""
    return round(text_width(text, size_px) + size_px * 0.9), round(size_px * 1.45)


def _spaced(text: str) -> str:
    """Widen the typeface's narrow space, with which a class and its score would run into one another."""
    return text.replace(" ", "  ")
