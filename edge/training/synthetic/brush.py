"""What painters of defects share: soft edges, ragged outlines, lines along the strip."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edge.training.synthetic.fields import Image, fields, random_window, scaled_window
from edge.training.synthetic.shapes import Crop

Painter = Callable[[Image, Crop, np.random.Generator], None]
"""Changes a crop of steel (grey levels) in place, within a mask of its size."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A scratch: where in each row (0 to 1 of the mask's width), how thick, how dark (or bright, above 0)."""

    place: float
    thickness_px: float
    depth: float


def depth_px(mask: Crop) -> Image:
    """(H, W) distance of each pixel from the mask's outline; 0 outside."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1], dtype=np.float32)


def feather(mask: Crop, softness_px: float) -> Image:
    """Opacity that falls to 0 at the mask's outline."""
    return np.asarray(np.clip(depth_px(mask) / np.float32(softness_px), 0.0, 1.0))


def ragged_core(mask: Crop, margin: float, rng: np.random.Generator) -> Image:
    """Signed depth in px within a ragged shape inside the mask: annotators leave a generous margin.

    ``margin`` is the part of the mask's depth that is left away on average.
    """
    height, width = mask.shape
    depth = depth_px(mask)
    size = max(2.0, float(depth.max()))
    scale = float(np.clip(size / 14.0, 0.35, 2.5))
    lobes = scaled_window(fields().mottle, height, width, scale, rng)
    edge = scaled_window(fields().relief, height, width, 0.7, rng)
    core = depth - size * margin * (1.0 + 0.75 * lobes) - min(2.0, 0.15 * size) * edge
    return np.asarray(np.minimum(core, depth - 0.5), dtype=np.float32)


def draw_line(steel: Image, mask: Crop, stroke: Stroke, leaning: bool, rng: np.random.Generator) -> None:
    """Draw a line along the mask, fading in and out along its length; ``leaning`` follows its sides."""
    height, width = mask.shape
    left, right = _row_ends(mask) if leaning else (0.0, float(width))
    wander = np.cumsum(rng.normal(0.0, 0.06, height))
    centre = (left + stroke.place * (right - left) + wander - wander.mean()).astype(np.float32)
    offset = np.abs(np.arange(width, dtype=np.float32)[None, :] - centre[:, None])
    opacity = np.clip(0.5 * stroke.thickness_px + 0.5 - offset, 0.0, 1.0)
    rows = np.linspace(0.0, height / 60.0, height)
    strength = np.clip(0.9 + 0.35 * np.sin(rows * rng.uniform(0.5, 3.0) + rng.uniform(0, 6.3)), 0.3, 1.3)
    rough = 1.0 + 0.25 * random_window(fields().streaks, height, width, rng)
    along = (stroke.depth * strength[:, None]).astype(np.float32)
    steel *= np.clip(1.0 + along * opacity * rough * mask, 0.15, 2.8)


def _row_ends(mask: Crop) -> tuple[Image, Image]:
    """First and last column of the mask in each row, (H,) float32."""
    left = mask.argmax(axis=1).astype(np.float32)
    right = (mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)).astype(np.float32)
    return left, right
