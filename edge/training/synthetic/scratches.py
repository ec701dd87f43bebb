"""Scratches and abrasion: class 2, and the many looks of class 3."""

import cv2
import numpy as np

from edge.training.synthetic.brush import Painter, Stroke, depth_px, draw_line, feather
from edge.training.synthetic.chance import chance
from edge.training.synthetic.fields import Image, fields, random_window, scaled_window
from edge.training.synthetic.flakes import paint_crumpled
from edge.training.synthetic.shapes import Crop

TALL = 2.0  # height over width from which a class 3 component is a streak along the rolling direction
_WIDE_PX = 300  # the widest tenth: too wide for a single scuff
_HIGH_PX = 120  # a wide component this high may be a bundle of streaks


def paint_hairline(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 2: one faint dark line, 2 to 5 px wide, or a pair of them, from end to end of the mask."""
    lines = 2 if chance(0.3, rng) else 1
    # Over a mask of 19 px, a line of 3 px and this depth darkens steel of grey 88 by the real 4 levels.
    depth = rng.uniform(0.14, 0.36)
    for place in rng.uniform(0.32, 0.68, lines):
        draw_line(steel, mask, Stroke(place, rng.uniform(2.0, 5.0), -depth / lines**0.5), _leans(mask), rng)


def paint_abrasion(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 3: streaks along the strip, slivers, flakes, scuffs across it, or a worn area."""
    height, width = mask.shape
    kinds: tuple[Painter, ...]
    if height > TALL * width:
        kinds = (_streak_bundle, _shade, _crust, _slivers, paint_crumpled)
        weights = [0.5, 0.17, 0.11, 0.12, 0.1]
    elif width > _WIDE_PX:
        kinds, weights = (_scuffs, _worn_area), [0.55, 0.45]
        if height > _HIGH_PX and chance(0.3, rng):
            kinds, weights = (_streak_bundle,), [1.0]
    else:
        kinds, weights = (paint_crumpled, _scuffs, _slivers, _worn_area), [0.55, 0.2, 0.15, 0.1]
    kinds[int(rng.choice(len(kinds), p=weights))](steel, mask, rng)


def _leans(mask: Crop) -> bool:
    # A single scratch is why its mask leans; in a wide mask, scratches keep to the rolling direction.
    height, width = mask.shape
    return bool(height > TALL * width)


def _streak_bundle(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    width = mask.shape[1]
    lines = 1 + int(rng.poisson(min(14.0, width / 9)))
    sign = -1.0 if chance(0.6, rng) else 1.0
    # A single scratch is a strong one: else it would be a hairline.
    depth = rng.uniform(0.35, 0.65) if lines == 1 else rng.uniform(0.2, 0.6)
    if sign > 0 and chance(0.3, rng):
        depth *= 3.0
    single = lines == 1
    for place in rng.uniform(0.25 if single else 0.12, 0.75 if single else 0.88, lines):
        thickness_px = rng.uniform(2.5, 7.0) if single else 1.0 + rng.exponential(2.0)
        stroke = Stroke(place, thickness_px, sign * depth * rng.uniform(0.4, 1.2))
        draw_line(steel, mask, stroke, _leans(mask), rng)


def _shade(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """An even, dark band with soft sides."""
    height, width = mask.shape
    rough = random_window(fields().streaks, height, width, rng)
    depth = rng.uniform(0.1, 0.4) if chance(0.8, rng) else -rng.uniform(0.1, 0.3)
    opacity = feather(mask, rng.uniform(0.15, 0.4) * width)
    steel *= 1.0 - depth * opacity * (1.0 + 0.15 * rough)


def _crust(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """A dark groove along which bright crumbs have piled up."""
    height, width = mask.shape
    level = float(np.median(steel))
    opacity = feather(mask, 0.3 * width)
    crumbs = scaled_window(fields().relief, height, width, rng.uniform(0.7, 1.1), rng)
    crumbs += 0.5 * random_window(fields().grain, height, width, rng)
    bright = np.clip(crumbs - rng.uniform(0.7, 1.5), 0.0, 1.5) * opacity
    steel += opacity * (level * (rng.uniform(0.3, 1.3) * bright - rng.uniform(0.0, 0.3)))


def _slivers(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Short dark dashes along the rolling direction."""
    height, width = mask.shape
    canvas = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(3, 6 + mask.size // 2500))):
        half = (int(rng.integers(1, 4)), int(rng.integers(4, 8 + height // 6)))
        place = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.1, 0.9) * height))
        cv2.ellipse(canvas, place, half, float(rng.normal(0, 5)), 0, 360, -rng.uniform(0.2, 0.55), -1)
    ragged = np.clip(1.0 + 0.5 * random_window(fields().relief, height, width, rng), 0.0, 1.6)
    steel *= 1.0 + cv2.GaussianBlur(canvas, (0, 0), 0.8) * ragged * feather(mask, 2.0)


def _scuffs(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Bright, often saturated scratches across the strip on a rubbed ground."""
    height, width = mask.shape
    scale = rng.uniform(0.8, 1.6) if height < 60 else rng.uniform(1.0, 2.4)  # noqa: PLR2004 - px of a low scuff
    across = scaled_window(fields().ripple, height, width, scale, rng)
    across += 0.4 * random_window(fields().relief, height, width, rng)
    where = 0.5 * scaled_window(fields().mottle, height, width, 1.0, rng)
    threshold = rng.uniform(0.9, 1.8)
    bright = np.clip(across + where - threshold, 0.0, 1.4)
    dark = np.clip(-across - rng.uniform(1.2, 2.2), 0.0, 1.0)
    strength = rng.uniform(0.3, 2.4) if chance(0.85, rng) else -rng.uniform(0.2, 0.4)
    change = strength * bright - 0.3 * dark + rng.uniform(-0.1, 0.1)
    steel += float(np.median(steel)) * np.clip(change, -0.85, 3.0) * feather(mask, 4.0)


def _worn_area(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """A wide area whose texture is rubbed or pulled: little contrast, another roughness."""
    height, width = mask.shape
    pulled = random_window(fields().streaks, height, width, rng)
    rubbed = random_window(fields().ripple, height, width, rng)
    clouds = scaled_window(fields().mottle, height, width, 1.0, rng)
    change = rng.uniform(-0.18, 0.1) + rng.uniform(0.02, 0.1) * pulled + rng.uniform(0.0, 0.09) * rubbed
    depth = depth_px(mask)
    softness_px = min(25.0, max(2.0, 0.6 * float(depth.max())))
    opacity = np.clip(depth / softness_px + 0.35 * clouds - 0.1, 0.0, 1.0) * np.clip(depth / 4.0, 0.0, 1.0)
    steel *= np.maximum(1.0 + change * opacity, 0.1)
