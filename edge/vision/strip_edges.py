"""Where the strip begins and ends on a frame that also shows what lies beside it: nothing, hence black.

A frame's first column lies nearest to the operator's side, and columns go on away from it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.contracts.results import StripEdges
from edge.vision.runtime import COLOUR_DIMENSIONS, Image

# So many rows, and every fourth column: noise averages out, and 4096 x 1024 px take some 0.1 ms.
_ROWS, _COLUMN_STEP = 32, 4
_GREEN = 1

# Beside the strip, Severstal's cameras see 0 to 13 grey levels, and its rim has more than three times that. A
# strip that grows dark towards the frame's border, where light is poor, does so without such a step.
_BLACKEST_STEEL, _OF_STEEL, _STEP_UP = 16.0, 0.25, 3.0
_RIM_PX = (16, 64)  # of steel behind the edge: the side face before it is dim
_CAMERA_FLOOR = 1.0  # grey levels; nothing is three times brighter than 0
_BRIGHT_PERCENTILE = 98  # of columns: a strip that shows in 2 % of them is found

# Some black is left beside the strip: models know it from training. What is cut off is a multiple of a step,
# so that frames between which the strip has wandered a little are of one size, and make one batch.
_MARGIN_PX, _CUT_STEP_PX = 16, 64


class Seen(NamedTuple):
    """Which of the strip's edges a camera may see."""

    operator: bool
    drive: bool


def find_strip_edges(image: Image, seen: Seen) -> StripEdges:
    """Find the edges of the strip on a (H, W) grey or (H, W, 3) BGR frame.

    An edge is not found where the strip goes on to the frame's border, where what lies beside it is not
    black, or where no strip is in view: the frame is then taken for strip up to its border.
    """
    rows = image[:: max(1, image.shape[0] // _ROWS)]
    if rows.ndim == COLOUR_DIMENSIONS:
        rows = rows[:, :, _GREEN]
    coarse = _profile(rows[:, ::_COLUMN_STEP])
    black = min(_BLACKEST_STEEL, _OF_STEEL * float(np.percentile(coarse, _BRIGHT_PERCENTILE)))
    width = image.shape[1]
    from_left = _band_px(rows, coarse, black) if seen.operator else 0
    mirrored = rows[:, ::-1]
    from_right = _band_px(mirrored, _profile(mirrored[:, ::_COLUMN_STEP]), black) if seen.drive else 0
    return StripEdges(
        operator_px=from_left or None,
        drive_px=width - from_right if from_right else None,
    )


def inspected_columns(edges: StripEdges, width_px: int) -> tuple[int, int]:
    """Return the columns [x0, x1) to be inspected: the strip, and a little of the black beside it."""
    x0, beyond = 0, 0
    if edges.operator_px is not None:
        x0 = max(0, edges.operator_px - _MARGIN_PX) // _CUT_STEP_PX * _CUT_STEP_PX
    if edges.drive_px is not None:
        beyond = max(0, width_px - edges.drive_px - _MARGIN_PX) // _CUT_STEP_PX * _CUT_STEP_PX
    return x0, width_px - beyond


def _profile(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(W,) mean grey level of each column."""
    return np.asarray(rows.mean(axis=0))


def _band_px(rows: npt.NDArray[np.uint8], coarse: npt.NDArray[np.float64], black: float) -> int:
    """Return how many columns from the first on are black; 0 if they do not end in a step up to steel."""
    is_steel = coarse >= black
    first = int(np.argmax(is_steel))
    if not is_steel[first] or not first:
        return 0
    start, stop = (first + px // _COLUMN_STEP for px in _RIM_PX)
    rim = coarse[start:stop]
    band = max(float(coarse[:first].mean()), _CAMERA_FLOOR)
    if not rim.size or float(rim.mean()) < _STEP_UP * band:
        return 0
    before = (first - 1) * _COLUMN_STEP
    fine = _profile(rows[:, before : before + _COLUMN_STEP + 1])
    return before + int(np.argmax(fine >= black))
