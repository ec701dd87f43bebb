"""What looks like a defect and is none: stains, water marks, chalk, dust. None of it has ground truth."""

from collections.abc import Callable

import cv2
import numpy as np

from edge.training.synthetic.fields import Image, fields, random_window

Painter = Callable[[Image, np.random.Generator], None]


def draw_distractors(steel: Image, x0: int, x1: int, rng: np.random.Generator) -> None:
    """Scatter hard negatives over columns [x0, x1) of the steel, in place."""
    for paint, mean_count in _PAINTERS:
        for _ in range(int(rng.poisson(mean_count * (x1 - x0) / steel.shape[1]))):
            paint(steel[:, x0:x1], rng)


def _patch(steel: Image, height: int, width: int, rng: np.random.Generator) -> Image:
    """A view of a random place of about this size; it may be smaller at the frame's border."""
    y = int(rng.integers(-height // 2, max(1, steel.shape[0] - height // 2)))
    x = int(rng.integers(0, max(1, steel.shape[1] - width)))
    return steel[max(0, y) : max(1, y + height), x : x + width]


def _ellipse(patch: Image, sharpness: float) -> Image:
    """Opacity of an ellipse that fills the patch."""
    height, width = patch.shape
    y = ((np.arange(height, dtype=np.float32) + 0.5) * (2.0 / height) - 1.0)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) * (2.0 / width) - 1.0)[None, :]
    return np.asarray(np.clip((1.0 - (x * x + y * y)) * np.float32(sharpness), 0.0, 1.0))


def _sliver(steel: Image, rng: np.random.Generator) -> None:
    """A slim dark drop mark along the rolling direction, with soft ends."""
    patch = _patch(steel, int(rng.integers(12, 90)), int(rng.integers(3, 13)), rng)
    patch *= 1.0 - rng.uniform(0.1, 0.5) * _ellipse(patch, 1.5)


def _stain(steel: Image, rng: np.random.Generator) -> None:
    """A round, mottled stain; its outline dissolves."""
    size = int(rng.integers(15, 130))
    patch = _patch(steel, int(size * rng.uniform(0.5, 1.2)), size, rng)
    texture = random_window(fields().mottle, patch.shape[0], patch.shape[1], rng)
    opacity = np.clip(_ellipse(patch, 1.0) + 0.3 * texture - 0.3, 0.0, 1.0)
    patch *= 1.0 - rng.uniform(-0.12, 0.4) * opacity


def _water_mark(steel: Image, rng: np.random.Generator) -> None:
    """A wide, faint, leaning band with one sharp side."""
    height, width = steel.shape
    band = int(rng.integers(20, 200))
    y = np.arange(height, dtype=np.float32)[:, None]
    start, lean = rng.uniform(-100, width), rng.uniform(-0.8, 0.8)
    x0 = max(0, int(start + min(0.0, lean * height)))
    x1 = min(width, int(start + max(0.0, lean * height)) + band)
    if x1 <= x0:
        return
    depth_px = np.arange(x0, x1, dtype=np.float32)[None, :] - start - lean * y
    opacity = np.clip(depth_px / 2.0, 0.0, 1.0) * np.clip(1.0 - depth_px / band, 0.0, 1.0)
    steel[:, x0:x1] *= 1.0 + rng.uniform(-0.15, 0.15) * opacity


def _chalk(steel: Image, rng: np.random.Generator) -> None:
    """Strokes of a number painted on the strip: saturated, ragged, in a group."""
    size = int(rng.integers(90, 200))
    patch = _patch(steel, size, size, rng)
    strokes = np.zeros(patch.shape, np.uint8)
    for _ in range(int(rng.integers(2, 7))):
        points = np.cumsum(rng.normal(0, [4, 11], (6, 2)), axis=0) + rng.uniform(0.2, 0.8, 2) * size
        cv2.polylines(strokes, [points.astype(np.int32)], False, 1, int(rng.integers(3, 12)))
    soft = cv2.GaussianBlur(strokes.astype(np.float32), (0, 0), 2.0)
    ragged = soft * (1.0 + 0.4 * random_window(fields().relief, patch.shape[0], patch.shape[1], rng))
    patch += 230.0 * np.clip((ragged - 0.4) * 4.0, 0.0, 1.0)


def _dust(steel: Image, rng: np.random.Generator) -> None:
    """One bright or dark speck of a few pixels."""
    patch = _patch(steel, int(rng.integers(2, 6)), int(rng.integers(2, 7)), rng)
    patch += rng.choice([-40.0, 25.0, 70.0]) * _ellipse(patch, 2.0)


def _hairline(steel: Image, rng: np.random.Generator) -> None:
    """A scratch one pixel wide, too fine to matter."""
    patch = _patch(steel, int(rng.integers(40, 200)), 1, rng)
    patch *= 1.0 + rng.uniform(-0.1, 0.1)


# Mean number of each in a frame that is all steel.
_PAINTERS: tuple[tuple[Painter, float], ...] = (
    (_sliver, 1.2),
    (_stain, 0.7),
    (_water_mark, 0.7),
    (_chalk, 0.06),
    (_dust, 14.0),
    (_hairline, 0.5),
)
