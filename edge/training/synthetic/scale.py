"""Rolled-in scale, torn laps and shells: class 4."""

import cv2
import numpy as np

from edge.training.synthetic.brush import depth_px, ragged_core
from edge.training.synthetic.chance import chance
from edge.training.synthetic.fields import Image, fields, random_window, scaled_window
from edge.training.synthetic.shapes import Crop


def paint_scale(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 4: a crumpled, mostly darker patch with a dark crack along one side and bright ridges."""
    level = float(np.median(steel))
    core = ragged_core(mask, rng.uniform(0.05, 0.3), rng)
    inside = np.clip(core, 0.0, 1.0)
    # What lay on the sheet hardly shows on the patch that covers it.
    steel += inside * (rng.uniform(0.4, 0.9) * (cv2.blur(steel, (81, 81)) - steel))
    steel += inside * (level * _skin(mask, rng))
    steel += level * _rim(core, rng) * np.clip(depth_px(mask), 0.0, 1.0)
    np.maximum(steel, rng.uniform(0.05, 0.35) * level, out=steel)


def _skin(mask: Crop, rng: np.random.Generator) -> Image:
    """(H, W) relative brightness of the patch: leather of two sizes, clouds, now and then bare spots."""
    height, width = mask.shape
    leather = scaled_window(fields().relief, height, width, rng.uniform(0.45, 1.0), rng)
    folds = scaled_window(fields().folds, height, width, rng.uniform(0.6, 2.0), rng)
    clouds = scaled_window(fields().mottle, height, width, 2.0, rng)
    shade = -rng.uniform(0.02, 0.34) if chance(0.8, rng) else rng.uniform(0.0, 0.25)
    skin = shade + rng.uniform(0.03, 0.13) * leather + rng.uniform(0.04, 0.17) * folds
    skin += rng.uniform(0.02, 0.1) * clouds
    if chance(0.25, rng):
        skin += rng.uniform(0.03, 0.08) * random_window(fields().streaks, height, width, rng)
    if chance(0.25, rng):
        spots = clouds + 0.6 * leather - rng.uniform(1.0, 2.0)
        skin += rng.uniform(0.5, 2.2) * np.clip(2.0 * spots, 0.0, 1.0)
    return np.asarray(np.maximum(skin, -0.92), dtype=np.float32)


def _rim(core: Image, rng: np.random.Generator) -> Image:
    """(H, W) relative brightness along the outline: its shaded side is a crack, its lit side a ridge."""
    height, width = core.shape
    shift = int(rng.integers(2, 5))
    smooth = cv2.GaussianBlur(core, (0, 0), 1.5)
    facing_y = np.clip((smooth - np.roll(smooth, shift, axis=0)) / shift, -1.0, 1.0)
    facing_x = np.clip((smooth - np.roll(smooth, shift, axis=1)) / shift, -1.0, 1.0)
    facing = facing_y + rng.uniform(-0.7, 0.7) * facing_x
    rim = np.clip(1.0 - np.abs(core - 0.5) / rng.uniform(1.5, 4.0), 0.0, 1.0)
    # A crack opens here and closes there.
    broken = scaled_window(fields().mottle, height, width, 1.0, rng)
    rim *= np.clip(0.95 + 0.6 * broken, 0.0, 1.5)
    relief = np.where(facing > 0, rng.uniform(-0.5, 0.5) * facing, rng.uniform(0.25, 0.8) * facing)
    rough = np.clip(0.8 + 0.5 * random_window(fields().relief, height, width, rng), 0.0, 1.6)
    return np.asarray(rim * rough * (relief - rng.uniform(0.05, 0.25)), dtype=np.float32)
