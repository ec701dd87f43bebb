"""What stays the same along one coil, and what drifts slowly: edges, light, streaks, surface."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edge.training.synthetic.chance import chance
from edge.training.synthetic.fields import Image, profile

# Streams of random numbers; each purpose has its own, so that adding one does not change the others.
_COIL, _STREAKS, _EDGE, _LIGHT, _COVER, _SPECKLE, _ROUGH = range(7)


@dataclass(frozen=True, slots=True)
class Coil:
    """The constants of one coil; grey levels are those of the camera (0 to 255)."""

    key: tuple[int, int]  # seed of the strip, number of the coil
    width_px: int
    height_px: int
    grey: float  # mean of the steel
    black: float  # mean beside the strip
    noise: float  # deviation (by the median) of the finest roughness at the mean grey
    streak_depth: float
    mottle_depth: float
    ripple_depth: float
    brighter_below: float  # light's relative rise from the frame's first to its last row
    glare: float  # grey levels that a hot lower border adds; 0 for most coils
    cover_depth: float  # relative darkness (or brightness, below 0) of oxide and water marks; 0 for none
    cover_share: float
    speckle: float  # grey levels of glitter on rough bands; 0 for none
    chequer: bool  # tread plate
    side: int  # -1: the strip's edge is seen on the left, 1: right, 0: not at all
    edge_px: float  # column of the edge at the coil's start
    rim_px: int
    rim_roughness: float
    edge_speckle: float  # grey levels of glitter in a band along the edge
    edge_band_px: tuple[float, float]  # that band's distance from the edge, and its half width

    def rng(self, stream: int, frame: int = 0) -> np.random.Generator:
        """The coil's own random numbers for a purpose and a frame."""
        return np.random.default_rng([*self.key, stream, frame])

    def edge_at(self, frame: int) -> float:
        """Column of the strip's edge at the first row of a frame; one frame's end is the next one's start."""
        drift = np.random.default_rng([*self.key, _EDGE])
        phase, period, swing = drift.uniform(0, 6.3), drift.uniform(5.0, 14.0), drift.uniform(0.0, 9.0)
        return float(self.edge_px + swing * np.sin(phase + 6.2832 * frame / period))

    def streaks_at(self, frame: int) -> Image:
        """(W,) relative brightness across the strip at the first row of a frame."""
        return _streaks(self, frame)

    def light(self) -> Image:
        """(H, W) relative light; the camera's, hence the same for all frames of the coil."""
        return _light(self)

    def cover(self) -> Image:
        """(W,) where across the strip marks are dense; a standard normal curve."""
        return _curve(self, _COVER)

    def roughness(self) -> Image:
        """(W,) where across the strip the surface glitters; a standard normal curve."""
        return _curve(self, _SPECKLE)

    def rough_bands(self) -> Image:
        """(W,) relative roughness across the strip."""
        return _rough_bands(self)

    def edge_glitter(self, frame: int) -> Image:
        """(W,) grey levels of glitter along the strip's edge in a frame."""
        inside = (np.arange(self.width_px, dtype=np.float32) - self.edge_at(frame)) * -self.side
        middle_px, half_px = self.edge_band_px
        band = np.clip(1.5 - np.abs(inside - middle_px) / half_px, 0.0, 1.0)
        return np.asarray(self.edge_speckle * band, dtype=np.float32)


@lru_cache(maxsize=64)
def make_coil(seed: int, number: int, width_px: int, height_px: int) -> Coil:
    """Draw a coil; its parameters depend on nothing but the arguments."""
    rng = np.random.default_rng([seed, number, _COIL])
    dark = chance(0.11, rng)
    grey = float(np.clip(rng.normal(58 if dark else 102, 8 if dark else 20), 42, 150))
    black_part = rng.beta(1.3, 1.7) * 0.9 + 0.02
    side = int(rng.choice([-1, 0, 1], p=[0.24, 0.5, 0.26]))
    return Coil(
        key=(seed, number),
        width_px=width_px,
        height_px=height_px,
        grey=grey,
        black=float(rng.uniform(0.0, 3.5)),
        noise=float(np.clip(rng.normal(4.3, 1.1) * (grey / 94.0) ** 0.6, 2.0, 7.4)),
        streak_depth=float(np.clip(rng.lognormal(np.log(0.12), 0.4), 0.04, 0.3)),
        mottle_depth=float(rng.uniform(0.005, 0.04)),
        ripple_depth=float(rng.choice([0.0, rng.uniform(0.008, 0.06)], p=[0.25, 0.75])),
        brighter_below=float(np.clip(rng.gamma(4.5, 0.1), 0.08, 1.2)),
        glare=float(rng.choice([0.0, rng.uniform(40, 220)], p=[0.93, 0.07])),
        cover_depth=float(
            rng.choice([0.0, -rng.uniform(0.05, 0.28), rng.uniform(0.05, 0.38)], p=[0.48, 0.14, 0.38])
        ),
        cover_share=float(rng.uniform(-0.6, 1.2)),
        speckle=float(rng.choice([0.0, rng.uniform(2, 24)], p=[0.25, 0.75])),
        chequer=chance(0.02, rng),
        side=side,
        edge_px=float(black_part * width_px if side < 0 else (1.0 - black_part) * width_px),
        rim_px=int(rng.integers(20, 75)),
        rim_roughness=float(rng.uniform(0.02, 0.15)),
        edge_speckle=float(rng.choice([0.0, rng.uniform(8, 70)], p=[0.3, 0.7])),
        edge_band_px=(float(rng.uniform(5, 110)), float(rng.uniform(8, 60))),
    )


@lru_cache(maxsize=256)
def _streaks(coil: Coil, frame: int) -> Image:
    weights = (0.08, 0.13, 0.28, 0.6, 0.7)
    sigmas_px = (1.0, 4.0, 14.0, 60.0, 220.0)
    lasting = profile(coil.width_px, sigmas_px, weights, [*coil.key, _STREAKS])
    passing = profile(coil.width_px, sigmas_px[1:], weights[1:], [*coil.key, _STREAKS, 1 + frame])
    curve = lasting + np.float32(0.35) * passing
    return np.clip(1.0 + coil.streak_depth * curve, 0.35, 1.9).astype(np.float32)


@lru_cache(maxsize=32)
def _light(coil: Coil) -> Image:
    rows = np.linspace(0.0, 1.0, coil.height_px, dtype=np.float32)[:, None]
    along = 1.0 + coil.brighter_below * (rows**1.3 - 0.43)
    across = 1.0 + 0.16 * profile(coil.width_px, (400.0,), (1.0,), [*coil.key, _LIGHT])[None, :]
    light = np.clip(along, 0.4, 2.2) * np.clip(across, 0.55, 1.5)
    if coil.glare:
        reach = np.exp((rows - 1.0) * coil.rng(_LIGHT).uniform(6.0, 45.0))
        light += (coil.glare / coil.grey) * reach
    return np.ascontiguousarray(light, dtype=np.float32)


@lru_cache(maxsize=64)
def _rough_bands(coil: Coil) -> Image:
    curve = profile(coil.width_px, (120.0, 30.0, 6.0), (0.24, 0.14, 0.08), [*coil.key, _ROUGH])
    return np.asarray(np.exp(curve), dtype=np.float32)


@lru_cache(maxsize=128)
def _curve(coil: Coil, stream: int) -> Image:
    return profile(coil.width_px, (90.0, 25.0), (0.85, 0.5), [*coil.key, stream])
