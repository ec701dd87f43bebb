"""The four classes of defects: which outline annotators draw around each, and who paints it."""

import numpy as np

from edge.training.synthetic.brush import Painter
from edge.training.synthetic.fields import Image
from edge.training.synthetic.flakes import paint_pits
from edge.training.synthetic.scale import paint_scale
from edge.training.synthetic.scratches import TALL, paint_abrasion, paint_hairline
from edge.training.synthetic.shapes import (
    Crop,
    patch_outline,
    pit_outline,
    scuff_outline,
    slanted_bar,
    streak_outline,
)


def draw_outline(class_id: int, height: int, width: int, rng: np.random.Generator) -> Crop:
    """The ground truth of one component: (height, width) bool, touching all four sides."""
    if class_id == 0:
        return pit_outline(height, width, rng)
    if class_id == 1:
        return slanted_bar(height, width, rng)
    if class_id == 3:  # noqa: PLR2004 - the four classes are the subject of this module
        return patch_outline(height, width, rng)
    if height > TALL * width:
        return streak_outline(height, width, rng)
    return scuff_outline(height, width, rng)


def paint_defect(class_id: int, steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Paint a defect onto a crop of steel (grey levels), in place and within its mask."""
    _PAINTERS[class_id](steel, mask, rng)


_PAINTERS: tuple[Painter, ...] = (paint_pits, paint_hairline, paint_abrasion, paint_scale)
