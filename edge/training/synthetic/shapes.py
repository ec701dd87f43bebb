"""Outlines such as annotators draw: coarse polygons that fill their box, and their hull, to a known part."""

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.synthetic.chance import chance

Crop = npt.NDArray[np.bool_]
Corners = npt.NDArray[np.float64]  # (N, 2): x, y


def pit_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A leaning quadrangle, or a tongue that narrows and bends (class 1)."""
    if chance(0.62, rng):
        return _fill(_leaning(_jittered_corners(rng, across=0.3, along=0.12), 0.3, rng), height, width)
    return _fill(_band(int(rng.integers(3, 6)), 0.4, 0.13, rng), height, width)


def slanted_bar(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A near-rectangle whose sides lean (classes 2 and 3 along the rolling direction)."""
    corners = _jittered_corners(rng, across=0.2, along=0.012)
    return _fill(_leaning(corners, 0.75, rng), height, width)


def streak_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A bar, or now and then several bars that annotators ran together (class 3's tall shapes)."""
    if chance(0.8, rng):
        corners = _jittered_corners(rng, across=0.2, along=0.03)
        return _fill(_leaning(corners, rng.choice([0.1, 0.9]), rng), height, width)
    return _fill(_band(int(rng.integers(3, 6)), 0.4, 0.15, rng), height, width)


def scuff_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A box, a leaning quadrangle, a rounded blob or a bent one (class 3's compact and wide shapes)."""
    kind = rng.random()
    if kind < 0.5:  # noqa: PLR2004 - shares of the kinds
        corners = _jittered_corners(rng, across=0.2, along=0.25)
        return _fill(_leaning(corners, 0.3, rng), height, width)
    if kind < 0.72:  # noqa: PLR2004
        return _fill(_star(int(rng.integers(5, 9)), 0.25, rng), height, width)
    corners = _band(int(rng.integers(3, 8)), 0.4, 0.2, rng)
    return _fill(corners[:, ::-1] if width > height else corners, height, width)


def patch_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A ragged patch of 8 to 18 corners, or a long bent one (class 4)."""
    if chance(0.65, rng):
        return _fill(_leaning(_star(int(rng.integers(8, 19)), 0.6, rng), 0.6, rng), height, width)
    corners = _band(int(rng.integers(4, 9)), 0.4, 0.2, rng)
    return _fill(corners[:, ::-1] if width > height else corners, height, width)


def _jittered_corners(rng: np.random.Generator, *, across: float, along: float) -> Corners:
    inset = rng.uniform(0.0, 1.0, (4, 2)) * [across, along]
    inwards = [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    return np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) + inset * inwards


def _leaning(corners: Corners, most: float, rng: np.random.Generator) -> Corners:
    """Shear along x by up to ``most`` times the width, to either side."""
    lean = rng.uniform(-most, most)
    return corners + np.stack([lean * corners[:, 1], np.zeros(len(corners))], axis=1)


def _band(stations: int, narrowest: float, wander: float, rng: np.random.Generator) -> Corners:
    """A band along y: its middle wanders, its width varies, its ends may be points."""
    y = np.sort(rng.uniform(0.0, 1.0, stations))
    y[0], y[-1] = 0.0, 1.0
    middle = np.cumsum(rng.normal(0.0, wander, stations)) * (2.0 / stations**0.5)
    half = 0.5 * rng.uniform(narrowest, 1.0, stations)
    half[[0, -1]] *= rng.uniform(0.1, 1.0, 2)
    left, right = np.stack([middle - half, y], axis=1), np.stack([middle + half, y], axis=1)
    return np.concatenate([left, right[::-1]])


def _star(corners: int, raggedness: float, rng: np.random.Generator) -> Corners:
    """Corners around a centre, at jittered angles; radii are those of a rounded square, with lobes."""
    angles = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) * (2.0 * np.pi / corners)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    square = 1.0 / np.maximum(np.abs(directions).max(axis=1), 0.78)
    lobes = sum(
        np.cos(order * angles + rng.uniform(0.0, 6.3)) * rng.uniform(0.0, 1.0) / order for order in (1, 2, 3)
    )
    radii = square * np.exp(raggedness * (0.75 * lobes + rng.uniform(-0.3, 0.3, corners)))
    return np.asarray(directions * radii[:, None])


def _fill(corners: Corners, height: int, width: int) -> Crop:
    """Stretch a polygon to its box and fill it; the result touches all four sides of (height, width)."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    unit = (corners - low) / (high - low)
    points = np.round(unit * [width - 1, height - 1]).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [points], 1)
    return canvas.astype(np.bool_)
