"""The background: steel of one frame, before defects and before the camera's noise."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.synthetic.coil import Coil
from edge.training.synthetic.fields import Image, fields, profile, random_window, window

_CAMERA_NOISE = np.float32(0.35)  # grey levels


def draw_steel(coil: Coil, frame: int, rng: np.random.Generator) -> Image:
    """(H, W) float32 grey levels of the bare strip, as if it filled the frame."""
    steel = _between(coil.streaks_at(frame), coil.streaks_at(frame + 1), coil.height_px)
    _modulate(steel, fields().streaks, 0.04 * coil.streak_depth + 0.004, rng)
    if coil.ripple_depth:
        _modulate(steel, fields().ripple, coil.ripple_depth, rng)
    _mottle(steel, coil, frame)
    if coil.cover_depth:
        _cover(steel, coil, frame)
    cv2.multiply(steel, coil.light(), dst=steel, scale=coil.grey)
    if coil.speckle or coil.side:
        _glitter(steel, coil, frame, rng)
    if coil.chequer:
        steel *= _tread(coil, frame)
    return steel


def add_noise(steel: Image, coil: Coil, rng: np.random.Generator) -> None:
    """Add the finest roughness and the camera's noise in place.

    Roughness is relief: it grows a little faster than the light on it (real: with its 1.2th power), and is
    stronger in bands across the strip. The camera's own noise is all that is seen beside the strip.
    """
    height, width = steel.shape
    swing = np.asarray(cv2.addWeighted(steel, 0.2 / coil.grey, steel, 0.0, 0.8), dtype=np.float32)
    swing *= coil.rough_bands() * np.float32(coil.noise / coil.grey)
    cv2.multiply(steel, swing, dst=swing)
    swing += _CAMERA_NOISE
    cv2.multiply(swing, random_window(fields().grain, height, width, rng), dst=swing)
    cv2.add(steel, swing, dst=steel)


def cut_off_strip(steel: Image, coil: Coil, frame: int, rng: np.random.Generator) -> tuple[int, int]:
    """Blacken what lies beside the strip and draw its rim, in place; return the strip's columns [x0, x1)."""
    height, width = steel.shape
    if not coil.side:
        return 0, width
    start, end = coil.edge_at(frame), coil.edge_at(frame + 1)
    low, high = int(np.floor(min(start, end))), int(np.ceil(max(start, end)))
    margin = coil.rim_px + 12
    x0 = max(0, low - (12 if coil.side < 0 else margin))
    x1 = min(width, high + (margin if coil.side < 0 else 12))
    edge = np.linspace(start, end, height, dtype=np.float32)[:, None]
    inside = (np.arange(x0, x1, dtype=np.float32)[None, :] - edge) * (1.0 if coil.side < 0 else -1.0)
    _draw_rim(steel[:, x0:x1], inside, coil, rng)
    beside = steel[:, :x0] if coil.side < 0 else steel[:, x1:]
    beside[:] = coil.black
    return (high, width) if coil.side < 0 else (0, low)


def _between(first: Image, last: Image, height: int) -> Image:
    """(H, W): the curve of one frame's start, turning into that of the next frame's."""
    ends = np.stack([first, last])
    share = (np.arange(height, dtype=np.float32) / height)[:, None]
    return np.asarray(ends[0] + share * (ends[1] - ends[0]), dtype=np.float32)


def _modulate(steel: Image, field: Image, depth: float, rng: np.random.Generator) -> None:
    height, width = steel.shape
    texture = random_window(field, height, width, rng)
    cv2.multiply(steel, cv2.addWeighted(texture, depth, texture, 0.0, 1.0), dst=steel)


def _coarse_window(field: Image, coil: Coil, frame: int, stream: int) -> Image:
    """A (H, W) window of a half-resolution field which moves on with the strip: no seam between frames."""
    y0, x0 = coil.rng(stream).integers(0, 1024, 2)
    half_height, half_width = (coil.height_px + 1) // 2, (coil.width_px + 1) // 2
    # One cell more than the frame, so that the last row blends into the next frame's first.
    cells = window(field, int(y0) + frame * half_height, int(x0), half_height + 1, half_width + 1)
    enlarged = cv2.resize(cells, (2 * half_width + 2, 2 * half_height + 2), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged[: coil.height_px, : coil.width_px])


def _mottle(steel: Image, coil: Coil, frame: int) -> None:
    clouds = _coarse_window(fields().mottle, coil, frame, stream=10)
    cv2.multiply(steel, cv2.addWeighted(clouds, coil.mottle_depth, clouds, 0.0, 1.0), dst=steel)


def _cover(steel: Image, coil: Coil, frame: int) -> None:
    """Sharp-edged marks drawn out along the rolling direction, dense in some bands across the strip."""
    marks = _coarse_window(fields().patches, coil, frame, stream=11)
    threshold = np.float32(0.9) - coil.cover_share * coil.cover()
    height = steel.shape[0]
    excess = cv2.subtract(np.ascontiguousarray(marks), np.tile(threshold[None, :], (height, 1)))
    opacity = np.clip(excess * np.float32(4.0), 0.0, 1.0)
    cv2.multiply(steel, 1.0 - np.float32(coil.cover_depth) * opacity, dst=steel)


def _glitter(steel: Image, coil: Coil, frame: int, rng: np.random.Generator) -> None:
    """Bright specks on rough bands; on rippled coils they line up across the strip."""
    height, width = steel.shape
    grain = random_window(fields().grain, height, width, rng)
    field = fields().ripple if coil.ripple_depth else fields().streaks
    excess = cv2.addWeighted(grain, 0.5, random_window(field, height, width, rng), 0.6, -1.35)
    specks = np.maximum(excess, np.float32(0.0))
    specks *= coil.speckle * np.clip(coil.roughness() + 0.1, 0.0, 2.0) + coil.edge_glitter(frame)
    cv2.add(steel, specks, dst=steel)


def _tread(coil: Coil, frame: int) -> Image:
    """Relative brightness of tread plate: a lattice of ridges, lit on one flank and shaded on the other."""
    rng = coil.rng(12)
    pitch_x, pitch_y = rng.uniform(80, 120), rng.uniform(90, 140)
    y = (np.arange(coil.height_px, dtype=np.float32) + frame * coil.height_px)[:, None] / np.float32(pitch_y)
    x = np.arange(coil.width_px, dtype=np.float32)[None, :] / np.float32(pitch_x)
    ridges = np.zeros((coil.height_px, coil.width_px), np.float32)
    for slope in (1.0, -1.0):
        offset = np.mod(x + slope * y, 1.0) - 0.5
        # One period of a sine over a tenth of the pitch: a bright flank, then a dark one.
        ridges += np.sin(np.clip(offset, -0.05, 0.05) * np.float32(20.0 * np.pi))
    return 1.0 + np.float32(0.45) * ridges


def _draw_rim(columns: npt.NDArray[np.float32], inside: Image, coil: Coil, rng: np.random.Generator) -> None:
    """Draw the strip's border; ``inside`` is the distance from the edge in px, negative beside the strip."""
    height, width = columns.shape
    brightness = np.interp(inside, np.arange(-2, coil.rim_px), _rim_profile(coil)).astype(np.float32)
    rough = random_window(fields().streaks, height, width, rng)
    near = np.clip(1.0 - np.abs(inside) / np.float32(coil.rim_px), 0.0, 1.0)
    columns *= brightness * (1.0 + coil.rim_roughness * near * rough)
    opacity = np.clip(inside + 0.5 + 0.3 * rough, 0.0, 1.0)
    columns *= opacity
    columns += coil.black * (1.0 - opacity)


@lru_cache(maxsize=64)
def _rim_profile(coil: Coil) -> Image:
    """(2 + rim_px,) relative brightness from 2 px beside the edge inwards.

    The strip's side face is a dim strip of some pixels; then come grooves along the edge, dark or bright,
    which die away towards the middle.
    """
    rng = coil.rng(13)
    inside = np.arange(-2, coil.rim_px, dtype=np.float32)
    fading = np.clip(1.0 - inside / coil.rim_px, 0.0, 1.0)
    fading[inside > coil.rim_px - 2] = 0.0
    grooves = profile(inside.size, (1.5, 5.0), (0.5, 1.0), [*coil.key, 14])
    rim = 1.0 + fading * (rng.uniform(-0.35, 0.2) + rng.uniform(0.05, 0.4) * grooves)
    shadow_px = rng.uniform(3.0, 12.0)
    rim *= 1.0 - rng.uniform(0.0, 0.7) * np.clip(1.0 - np.abs(inside - 2.0 * shadow_px) / shadow_px, 0.0, 1.0)
    face_px = rng.uniform(0.0, 14.0)
    rim *= 1.0 - rng.uniform(0.4, 0.85) * np.clip((face_px - inside) / 2.5, 0.0, 1.0)
    return np.clip(rim, 0.05, 1.9).astype(np.float32)
