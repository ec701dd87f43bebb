"""Many labelled frames on one sheet."""

import math
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from consumers.palette import colour_of_class
from consumers.pictures import Mark, counted
from consumers.pictures.canvas import MUTED, TEXT, Canvas, chip_size, text_width
from consumers.pictures.overlay import draw_masks, to_rgb
from edge.contracts import Box
from edge.errors import OutputError
from edge.training.dataset import Dataset, LabelledFrame

_SHEET_WIDTH_PX = 1920
_MARGIN_PX, _GAP_PX = 32, 20
_TILE_WIDTHS_PX = 220, 900  # a frame is shown in its own size where that lies between
_TITLE_PX, _TEXT_PX = 22, 14
_CAPTION_PX = 24
_LEGEND_LINE_PX = 30
_LINE_PX = 1.6
_HIGHEST_PX = 65_500  # what JPEG holds

Pixels = npt.NDArray[np.uint8]


def contact_sheet(dataset: Dataset, frames: Sequence[LabelledFrame]) -> Pixels:
    """Draw frames with their masks: (H, W, 3) uint8 RGB, some 1,920 px wide.

    Raises:
        CorruptImageError: a picture cannot be read.
        OutputError: the sheet would be too high for a picture.
    """
    widest = max((frame.width_px for frame in frames), default=_TILE_WIDTHS_PX[1])
    wanted = min(max(widest, _TILE_WIDTHS_PX[0]), _TILE_WIDTHS_PX[1])
    room = _SHEET_WIDTH_PX - 2 * _MARGIN_PX + _GAP_PX
    columns = max(1, min(len(frames), room // (wanted + _GAP_PX)))
    tile_width = min(room // columns - _GAP_PX, 2 * wanted)
    rows = [frames[start : start + columns] for start in range(0, len(frames), columns)]
    heights = [max(_tile_height(frame, tile_width) for frame in row) + _CAPTION_PX + _GAP_PX for row in rows]
    lines = 1 + max((line for _, line, *_ in _legend(dataset)), default=0)
    y = _MARGIN_PX + _TITLE_PX + 2 * _GAP_PX + lines * _LEGEND_LINE_PX
    height = y + sum(heights) + _MARGIN_PX - _GAP_PX
    if height > _HIGHEST_PX:
        raise OutputError(f"{len(frames):,} frames do not fit on one sheet; take fewer, or a folder (--out)")
    canvas = Canvas(_SHEET_WIDTH_PX, height)
    _draw_head(canvas, dataset, frames)
    for row, row_height in zip(rows, heights, strict=True):
        for column, frame in enumerate(row):
            _draw_tile(canvas, dataset, frame, _MARGIN_PX + column * (tile_width + _GAP_PX), y, tile_width)
        y += row_height
    return canvas.pixels()


def marks_of(dataset: Dataset, frame: LabelledFrame) -> tuple[Mark, ...]:
    """A frame's defects, small ones first: they are drawn on top of large ones."""
    in_order = sorted(frame.instances, key=lambda instance: instance.mask.area_px)
    return tuple(
        Mark(
            dataset.class_names[instance.class_id],
            colour_of_class(instance.class_id),
            Box(*instance.box_px),
            instance.mask,
        )
        for instance in in_order
    )


def _tile_height(frame: LabelledFrame, tile_width: int) -> int:
    return round(frame.height_px * tile_width / frame.width_px)


def _legend(dataset: Dataset) -> list[tuple[float, int, int, str]]:
    """Where each class stands, x from the margin and line, and how many frames of the whole set show it."""
    frames_by_class = Counter(class_id for frame in dataset.frames for class_id in frame.class_ids)
    places: list[tuple[float, int, int, str]] = []
    x, line = 0.0, 0
    for class_id, name in enumerate(dataset.class_names):
        number = counted(frames_by_class[class_id], "frame")
        width = chip_size(name, _TEXT_PX)[0] + 8 + text_width(number, _TEXT_PX)
        if places and x + width > _SHEET_WIDTH_PX - 2 * _MARGIN_PX:
            x, line = 0.0, line + 1
        places.append((x, line, class_id, number))
        x += width + 28
    return places


def _draw_head(canvas: Canvas, dataset: Dataset, frames: Sequence[LabelledFrame]) -> None:
    y = _MARGIN_PX + _TITLE_PX // 2
    x = _MARGIN_PX + canvas.text(_MARGIN_PX, y, dataset.name, _TITLE_PX, TEXT)
    shown = f"   {len(frames):,} of {counted(len(dataset.frames), 'frame')}"
    canvas.text(x, y, shown, _TEXT_PX, MUTED)
    for left, line, class_id, number in _legend(dataset):
        name = dataset.class_names[class_id]
        top = _MARGIN_PX + _TITLE_PX + _GAP_PX + line * _LEGEND_LINE_PX
        width, height = chip_size(name, _TEXT_PX)
        canvas.chip(_MARGIN_PX + left, top, name, _TEXT_PX, colour_of_class(class_id))
        canvas.text(_MARGIN_PX + left + width + 8, top + height / 2, number, _TEXT_PX, MUTED)


def _draw_tile(canvas: Canvas, dataset: Dataset, frame: LabelledFrame, x: int, y: int, width: int) -> None:
    height = _tile_height(frame, width)
    zoom = max(1, math.ceil(width / frame.width_px))
    rgb = to_rgb(frame.read_picture(), zoom)
    line_px = max(1, round(_LINE_PX * rgb.shape[1] / width))
    draw_masks(rgb, marks_of(dataset, frame), zoom=zoom, line_px=line_px)
    canvas.paste(np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8), x, y)
    middle = y + height + _CAPTION_PX // 2
    canvas.text(x, middle, frame.name, _TEXT_PX, MUTED)
    defects = counted(len(frame.instances), "defect") if frame.instances else "clean"
    canvas.text(x + width, middle, defects, _TEXT_PX, MUTED, anchor="rm")
