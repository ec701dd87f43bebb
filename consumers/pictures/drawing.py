"""The picture as a whole: header, axes, frame, marks and labels."""

import io
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from consumers.pictures.axes import Tick, ticks
from consumers.pictures.canvas import LINE, MUTED, TEXT, Canvas, chip_size, text_width
from consumers.pictures.labels import Rect, place_labels
from consumers.pictures.overlay import draw_marks, to_rgb
from consumers.pictures.scene import Caption, Scale, Scene
from edge.contracts import Box

# Frames narrower than this are enlarged by a whole factor, so that labels do not cover them.
_MIN_WIDTH_PX = 800
_MAX_ZOOM = 4
_MIN_TEXT_PX = 13
# A text of a hundredth of the width: 16 px beside 1600, still read when the picture fills a screen.
_TEXT_OF_WIDTH = 0.01
_SEPARATOR = " · "

JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things lie, in pixels of the picture; the frame's first pixel lies at (``left``, ``top``)."""

    frame_width: int
    frame_height: int
    zoom: int
    text: int
    left: int
    width: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]

    @property
    def top(self) -> int:
        return 3 * self.text

    @property
    def bottom(self) -> int:
        return self.top + self.frame_height

    @property
    def height(self) -> int:
        return self.bottom + round(3.2 * self.text)

    @property
    def small_text(self) -> int:
        return round(0.85 * self.text)


def draw(image: npt.NDArray[np.uint8], scene: Scene) -> npt.NDArray[np.uint8]:
    """Draw a frame with its defects, axes and header.

    Args:
        image: (H, W) grey or (H, W, 3) BGR.
        scene: what to tell about it.

    Returns:
        (H', W', 3) uint8 in RGB order: the frame in full, pixel for pixel, with margins around it.
    """
    zoom = min(max(math.ceil(_MIN_WIDTH_PX / image.shape[1]), 1), _MAX_ZOOM)
    rgb = to_rgb(image, zoom)
    layout = _lay_out(rgb.shape[1], rgb.shape[0], zoom, scene)
    draw_marks(rgb, scene.marks, zoom=zoom, line_px=max(1, round(layout.text / 14)))
    canvas = Canvas(layout.width, layout.height)
    canvas.paste(rgb, layout.left, layout.top)
    _draw_header(canvas, layout, scene.caption)
    _draw_x_axis(canvas, layout, scene.scale)
    _draw_y_axis(canvas, layout, scene.scale)
    _draw_labels(canvas, layout, scene)
    return canvas.pixels()


def encode_jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode a drawn picture; colours keep their full resolution, else thin coloured lines would blur."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def _lay_out(frame_width: int, frame_height: int, zoom: int, scene: Scene) -> _Layout:
    text = max(_MIN_TEXT_PX, round(frame_width * _TEXT_OF_WIDTH))
    scale = scene.scale
    y_ticks = ticks(scale.y0, scale.pitch_y / zoom, frame_height, 2.2 * text)
    widest = max((text_width(tick.text, text) for tick in y_ticks if tick.text), default=0.0)
    left = round(widest + 2.4 * text)
    right = round(1.5 * text)
    return _Layout(
        frame_width=frame_width,
        frame_height=frame_height,
        zoom=zoom,
        text=text,
        left=left,
        width=left + max(frame_width, _header_width(scene.caption, text)) + right,
        x_ticks=ticks(scale.x0, scale.pitch_x / zoom, frame_width, 5 * text),
        y_ticks=y_ticks,
    )


def _header_width(caption: Caption, text: int) -> int:
    pieces = (caption.lead, *caption.facts, *caption.remarks)
    return math.ceil(text_width(_SEPARATOR.join(pieces), text))


def _draw_header(canvas: Canvas, layout: _Layout, caption: Caption) -> None:
    y = layout.top / 2
    x = layout.left + canvas.text(layout.left, y, caption.lead, layout.text, TEXT)
    for fact in caption.facts:
        x += canvas.text(x, y, _SEPARATOR, layout.text, MUTED)
        x += canvas.text(x, y, fact, layout.text, TEXT)
    remarks = _SEPARATOR.join(caption.remarks)
    canvas.text(layout.width - 1.5 * layout.text, y, remarks, layout.small_text, MUTED, anchor="rm")


def _draw_x_axis(canvas: Canvas, layout: _Layout, scale: Scale) -> None:
    y, unit = layout.bottom, layout.text / 4
    canvas.line((layout.left, y), (layout.left + layout.frame_width, y))
    for tick in layout.x_ticks:
        x = layout.left + round(tick.at)
        canvas.line((x, y), (x, y + round(unit * (2 if tick.text else 1))), MUTED if tick.text else LINE)
        if tick.text:
            canvas.text(x, y + 5 * unit, tick.text, layout.small_text, MUTED, anchor="mm")
    middle = layout.left + layout.frame_width / 2
    canvas.text(middle, y + 10 * unit, scale.x_title, layout.small_text, MUTED, anchor="mm")


def _draw_y_axis(canvas: Canvas, layout: _Layout, scale: Scale) -> None:
    x, unit = layout.left - 1, layout.text / 4
    canvas.line((x, layout.top), (x, layout.bottom))
    for tick in layout.y_ticks:
        y = layout.top + round(tick.at)
        canvas.line((x - round(unit * (2 if tick.text else 1)), y), (x, y), MUTED if tick.text else LINE)
        if tick.text:
            canvas.text(x - 3 * unit, y, tick.text, layout.small_text, MUTED, anchor="rm")
    middle = (layout.top + layout.bottom) // 2
    canvas.upright_text(round(0.9 * layout.text), middle, scale.y_title, layout.small_text, MUTED)


def _draw_labels(canvas: Canvas, layout: _Layout, scene: Scene) -> None:
    places = place_labels(
        [_rect_of(mark.box_px, layout.zoom) for mark in scene.marks],
        [chip_size(mark.label, layout.small_text) for mark in scene.marks],
        width=layout.frame_width,
        height=layout.frame_height,
        gap=layout.text / 5,
    )
    for mark, place in zip(scene.marks, places, strict=True):
        if place is not None:
            x, y = layout.left + place.x, layout.top + place.y
            canvas.chip(x, y, mark.label, layout.small_text, mark.colour)


def _rect_of(box: Box, zoom: int) -> Rect:
    return Rect(box.x0 * zoom, box.y0 * zoom, (box.x1 - box.x0) * zoom, (box.y1 - box.y0) * zoom)
