"""Flakes: small places where the skin of the strip is torn up. Class 1, and the compact ones of class 3."""

from dataclasses import dataclass

import numpy as np

from edge.training.synthetic.brush import depth_px, ragged_core
from edge.training.synthetic.chance import chance
from edge.training.synthetic.fields import Image, fields, random_window, scaled_window
from edge.training.synthetic.shapes import Crop


@dataclass(frozen=True, slots=True)
class _Look:
    """Relative brightness of a flake, and the deviation of its relief."""

    shade: float
    roughness: float


def paint_pits(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 1: a torn flake of about the surroundings' grey, twice as rough; a long one fades to one end."""
    core = ragged_core(mask, rng.uniform(0.25, 0.45), rng)
    height = mask.shape[0]
    if height > 70:  # noqa: PLR2004 - about the upper quartile of heights
        rows = np.abs(np.linspace(0.0, 1.0, height, dtype=np.float32) - np.float32(rng.uniform(0.1, 0.9)))
        core -= (rng.uniform(0.2, 0.9) * core.max()) * rows[:, None]
    _tear(steel, core, mask, _Look(-rng.uniform(-0.02, 0.2), rng.uniform(0.07, 0.22)), rng)


def paint_crumpled(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 3, compact: a larger flake or several, their skin pushed up into bright crests."""
    height, width = mask.shape
    core = ragged_core(mask, rng.uniform(0.15, 0.35), rng)
    if chance(0.5, rng):
        groups = scaled_window(fields().relief, height, width, rng.uniform(0.8, 2.5), rng)
        core = np.minimum(core, 4.0 * (groups + rng.uniform(-0.6, 0.6))).astype(np.float32)
    _tear(steel, core, mask, _Look(rng.uniform(-0.22, 0.08), rng.uniform(0.12, 0.3)), rng)


def _tear(steel: Image, core: Image, mask: Crop, look: _Look, rng: np.random.Generator) -> None:
    """Roughen the steel where ``core`` is positive: relief, a shadow on one side of it, bright crests."""
    height, width = mask.shape
    level = float(np.median(steel))
    opacity = np.clip(core / 2.0, 0.0, 1.0)
    relief = scaled_window(fields().folds, height, width, rng.uniform(0.5, 0.9), rng)
    surface = look.shade + look.roughness * relief
    crests = relief + 0.8 * random_window(fields().grain, height, width, rng) - rng.uniform(1.0, 1.7)
    surface += rng.uniform(0.2, 0.9) * np.clip(crests, 0.0, 1.6)
    shift = int(rng.choice([-2, -1, 1, 2]))
    shadow = opacity - np.roll(opacity, shift, axis=int(rng.integers(2)))
    surface += rng.uniform(0.1, 0.6) * shadow
    steel += level * np.maximum(surface, -0.6) * opacity * np.clip(depth_px(mask), 0.0, 1.0)
