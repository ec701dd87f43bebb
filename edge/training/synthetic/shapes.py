"""Outlines such as annotators draw: coarse polygons that fill their box to a known part."""

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.synthetic.chance import chance

Crop = npt.NDArray[np.bool_]


def pit_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """Four to six corners around a pit (class 1): fills about 3/4 of its box."""
    corners = _jittered_corners(rng, across=0.28, along=0.12)
    if chance(0.3, rng):
        corners = np.insert(corners, 2, [1.0, rng.uniform(0.35, 0.65)], axis=0)
    return _fill(corners, height, width)


def slanted_bar(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A near-rectangle whose sides lean a little (classes 2 and 3 along the rolling direction)."""
    lean = rng.uniform(0.0, 0.45)
    narrow = rng.uniform(0.0, 0.1)
    corners = np.array([[0.0, 0.0], [1.0 - lean, 0.0], [1.0, 1.0], [lean + narrow, 1.0]])
    if chance(0.5, rng):
        corners[:, 0] = 1.0 - corners[:, 0]
    return _fill(corners, height, width)


def scuff_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """Five to eight corners, sometimes a leaning bar (class 3's compact and wide shapes)."""
    if chance(0.4, rng):
        return _fill(_jittered_corners(rng, across=0.25, along=0.25), height, width)
    return _fill(_star(int(rng.integers(5, 9)), 0.75, 1.0, rng), height, width)


def patch_outline(height: int, width: int, rng: np.random.Generator) -> Crop:
    """A ragged patch of 8 to 16 corners (class 4): fills about 0.63 of its box."""
    return _fill(_star(int(rng.integers(8, 17)), 0.55, 1.0, rng), height, width)


def _jittered_corners(rng: np.random.Generator, *, across: float, along: float) -> npt.NDArray[np.float64]:
    inset = rng.uniform(0.0, 1.0, (4, 2)) * [across, along]
    return np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) + inset * [
        [1, 1],
        [-1, 1],
        [-1, -1],
        [1, -1],
    ]


def _star(corners: int, inner: float, outer: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Corners around a centre, at regular angles with jitter, between two radii of a rounded square."""
    angles = (np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) * (2.0 * np.pi / corners)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    square = 1.0 / np.maximum(np.abs(directions).max(axis=1, keepdims=True), 0.78)
    return np.asarray(directions * square * rng.uniform(inner, outer, (corners, 1)))


def _fill(corners: npt.NDArray[np.float64], height: int, width: int) -> Crop:
    """Stretch a polygon to its box and fill it; the result touches all four sides of (height, width)."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    unit = (corners - low) / (high - low)
    points = np.round(unit * [width - 1, height - 1]).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [points], 1)
    return canvas.astype(np.bool_)
