"""Paint the four classes of defects onto steel. Each painter changes a crop in place, within its mask."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edge.training.synthetic.chance import chance
from edge.training.synthetic.fields import Image, fields, random_window
from edge.training.synthetic.shapes import Crop, patch_outline, pit_outline, scuff_outline, slanted_bar

_TALL = 2.0  # height over width from which a class 3 component is a streak along the rolling direction

Painter = Callable[[Image, Crop, np.random.Generator], None]


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A scratch: where in each row (0 to 1 of the mask's width), how thick, how dark (or bright, above 0)."""

    place: float
    thickness_px: float
    depth: float


def draw_outline(class_id: int, height: int, width: int, rng: np.random.Generator) -> Crop:
    """The ground truth of one component: (height, width) bool, touching all four sides."""
    if class_id == 0:
        return pit_outline(height, width, rng)
    if class_id == 3:  # noqa: PLR2004 - the four classes are the subject of this module
        return patch_outline(height, width, rng)
    if class_id == 1 or height > _TALL * width:
        return slanted_bar(height, width, rng)
    return scuff_outline(height, width, rng)


def paint_defect(class_id: int, steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Paint a defect onto a crop of steel (grey levels), in place."""
    _PAINTERS[class_id](steel, mask, rng)


def _paint_pits(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 1: a dark core with bright specks at its rim; mean grey about that of the surroundings."""
    height, width = mask.shape
    level = float(steel.mean())
    canvas = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 2 + min(4, height // 30)))):
        # The core keeps to the middle of the mask, which annotators draw with a generous margin.
        x = int(width * rng.uniform(0.35, 0.65))
        y = int(height * rng.uniform(0.25, 0.75))
        half_w = max(1, int(width * rng.uniform(0.08, 0.24)))
        half_h = max(2, int(min(height, 60) * rng.uniform(0.12, 0.3)))
        tilt = float(rng.normal(0, 14))
        cv2.ellipse(canvas, (x, y), (half_w, half_h), tilt, 0, 360, -rng.uniform(0.3, 0.75), -1)
        for _ in range(int(rng.integers(1, 5))):
            sx, sy = x + int(rng.normal(0, half_w)), y - int(half_h * rng.uniform(-0.6, 1.2))
            cv2.ellipse(
                canvas,
                (sx, sy),
                (int(rng.integers(1, 3)), int(rng.integers(1, 4))),
                tilt,
                0,
                360,
                rng.uniform(0.4, 1.8),
                -1,
            )
    canvas += 0.04 * random_window(fields().relief, height, width, rng)
    steel += level * cv2.GaussianBlur(canvas, (0, 0), 0.7) * _feather(mask, 1.5)


def _paint_hairline(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 2: one faint dark line, 2 to 5 px wide, or a pair of them, from end to end of the mask."""
    lines = 2 if chance(0.3, rng) else 1
    # Over a mask of 19 px, a line of 3 px and this depth darkens steel of grey 88 by the real 4 levels.
    depth = rng.uniform(0.22, 0.42)
    for place in rng.uniform(0.32, 0.68, lines):
        _line(steel, mask, _Stroke(place, rng.uniform(1.8, 4.0), -depth / lines**0.5), rng)


def _paint_abrasion(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 3: streaks along the strip, groups of slivers, bright scuffs across it, or a worn area."""
    height, width = mask.shape
    if height > _TALL * width:
        kinds: tuple[Painter, ...] = (_streak_bundle, _slivers, _bright_flakes)
        weights = [0.6, 0.18, 0.22]
    elif width > 300:  # noqa: PLR2004 - the widest tenth: too wide for a single scuff
        kinds, weights = (_scuffs, _worn_area, _streak_bundle), [0.45, 0.35, 0.2]
    else:
        kinds, weights = (_scuffs, _bright_flakes, _slivers), [0.4, 0.4, 0.2]
    kinds[int(rng.choice(len(kinds), p=weights))](steel, mask, rng)


def _paint_scale(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Class 4: a crumpled, mostly darker patch with a dark crack along one side and bright ridges."""
    level = float(steel.mean())
    height, width = mask.shape
    # The true outline is ragged and lies a little inside the annotator's.
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    ragged = distance - 3.0 + 2.0 * random_window(fields().mottle, height, width, rng)
    inside = np.clip(ragged, 0.0, 1.0)
    leather = random_window(fields().relief, height, width, rng)
    clouds = random_window(fields().mottle, height, width, rng)
    darker = rng.uniform(0.05, 0.5) if chance(0.82, rng) else -rng.uniform(0.0, 0.25)
    surface = -darker + rng.uniform(0.05, 0.2) * leather + rng.uniform(0.04, 0.15) * clouds
    surface += rng.uniform(0.0, 0.1) * random_window(fields().grain, height, width, rng)
    if chance(0.2, rng):
        surface += 2.0 * np.clip(clouds - rng.uniform(0.9, 1.8), 0.0, 0.7)
    # What lay on the sheet does not show on the patch that covers it.
    steel += inside * (0.75 * (cv2.blur(steel, (81, 81)) - steel) + level * surface)
    shift = int(rng.integers(2, 5))
    above = np.roll(ragged, shift, axis=0)
    rim = np.clip(1.0 - np.abs(ragged - 1.0) / rng.uniform(1.5, 3.5), 0.0, 1.0)
    facing = np.clip((ragged - above) / shift, -1.0, 1.0)
    relief = np.where(facing > 0, rng.uniform(-0.6, 0.5) * facing, rng.uniform(0.25, 0.9) * facing)
    rough_rim = rim * np.clip(0.7 + 0.5 * random_window(fields().relief, height, width, rng), 0.0, 1.6)
    steel += level * rough_rim * (relief - rng.uniform(0.1, 0.3)) * (distance > 0)


def _streak_bundle(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    width = mask.shape[1]
    lines = 1 + int(rng.poisson(width / 14))
    sign = -1.0 if chance(0.8, rng) else 1.0
    # A single scratch is a strong one: else it would be a hairline.
    depth = rng.uniform(0.35, 0.65) if lines == 1 else rng.uniform(0.2, 0.55)
    for place in rng.uniform(0.25 if lines == 1 else 0.12, 0.75 if lines == 1 else 0.88, lines):
        stroke = _Stroke(
            place, rng.uniform(2.5 if lines == 1 else 1.2, 7.0), sign * depth * rng.uniform(0.5, 1.2)
        )
        _line(steel, mask, stroke, rng)


def _slivers(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Short dark dashes along the rolling direction."""
    height, width = mask.shape
    canvas = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(3, 6 + mask.size // 2500))):
        half = (int(rng.integers(1, 4)), int(rng.integers(4, 8 + height // 6)))
        place = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.1, 0.9) * height))
        cv2.ellipse(canvas, place, half, float(rng.normal(0, 5)), 0, 360, -rng.uniform(0.25, 0.6), -1)
    steel *= 1.0 + cv2.GaussianBlur(canvas, (0, 0), 0.8) * _feather(mask, 2.0)


def _bright_flakes(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Specks that reflect into the camera, with dark ones between them."""
    height, width = mask.shape
    field = random_window(fields().relief, height, width, rng)
    density = random_window(fields().mottle, height, width, rng)
    opacity = _feather(mask, min(8.0, 0.2 * min(height, width)))
    bright = np.clip(field + 0.5 * density - rng.uniform(1.0, 1.7), 0.0, 1.2)
    dark = np.clip(-field - rng.uniform(0.9, 1.5), 0.0, 1.0)
    steel += opacity * (rng.uniform(50, 170) * bright - 0.35 * float(steel.mean()) * dark)


def _scuffs(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """Bright, often saturated scratches across the strip on a rubbed ground."""
    height, width = mask.shape
    canvas = np.zeros((height, width), np.float32)
    tilt = float(rng.normal(0, 9))
    for _ in range(int(rng.integers(4, 8 + min(120, mask.size // 400)))):
        half = (int(rng.integers(3, 8 + min(60, width // 5))), int(rng.integers(1, 3 + min(5, height // 30))))
        place = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.08, 0.92) * height))
        strength = rng.uniform(0.3, 2.2) if chance(0.8, rng) else -rng.uniform(0.2, 0.5)
        cv2.ellipse(canvas, place, half, tilt + float(rng.normal(0, 4)), 0, 360, strength, -1)
    canvas *= np.clip(0.8 + 0.6 * random_window(fields().ripple, height, width, rng), 0.0, 1.5)
    canvas += rng.uniform(-0.12, 0.1)
    steel += float(steel.mean()) * cv2.GaussianBlur(canvas, (0, 0), 0.7) * _feather(mask, 3.0)


def _worn_area(steel: Image, mask: Crop, rng: np.random.Generator) -> None:
    """A wide area whose texture is rubbed or pulled: little contrast, another roughness."""
    height, width = mask.shape
    pulled = random_window(fields().streaks, height, width, rng)
    rubbed = random_window(fields().ripple, height, width, rng)
    change = rng.uniform(-0.18, 0.08) + rng.uniform(0.06, 0.16) * pulled + rng.uniform(0.0, 0.14) * rubbed
    steel *= 1.0 + change * _feather(mask, 8.0)


def _line(steel: Image, mask: Crop, stroke: _Stroke, rng: np.random.Generator) -> None:
    """A line along the mask, fading in and out along its length."""
    height, width = mask.shape
    # A single scratch is why its mask leans; in a wide mask, scratches keep to the rolling direction.
    left, right = _row_ends(mask) if height > _TALL * width else (0.0, float(width))
    wander = np.cumsum(rng.normal(0.0, 0.06, height))
    centre = left + stroke.place * (right - left) + wander - wander.mean()
    offset = np.abs(np.arange(width)[None, :] - centre[:, None])
    opacity = np.clip(0.5 * stroke.thickness_px + 0.5 - offset, 0.0, 1.0)
    rows = np.linspace(0.0, height / 60.0, height)
    strength = np.clip(0.9 + 0.35 * np.sin(rows * rng.uniform(0.5, 3.0) + rng.uniform(0, 6.3)), 0.3, 1.3)
    rough = 1.0 + 0.25 * random_window(fields().streaks, height, width, rng)
    steel *= np.clip(1.0 + (stroke.depth * strength[:, None]) * opacity * rough * mask, 0.15, 2.5).astype(
        np.float32
    )


def _row_ends(mask: Crop) -> tuple[Image, Image]:
    """First and last column of the mask in each row, (H,) float32."""
    left = mask.argmax(axis=1).astype(np.float32)
    right = (mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)).astype(np.float32)
    return left, right


def _feather(mask: Crop, softness_px: float) -> Image:
    """Opacity that falls to 0 at the mask's outline."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(np.clip(distance / np.float32(softness_px), 0.0, 1.0))


_PAINTERS: tuple[Painter, ...] = (_paint_pits, _paint_hairline, _paint_abrasion, _paint_scale)
