"""Fields of correlated noise from which the steel's textures are cut.

Drawing a million normal numbers takes longer than rendering a frame, so the fields are drawn once for each
process, from a fixed seed, and a frame takes windows of them. All fields repeat seamlessly in both axes.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

_FIELD_SEED = 20190725
_ROWS, _COLUMNS = 512, 2048


@dataclass(frozen=True, slots=True)
class Fields:
    """Zero-mean, unit-variance fields; (rows, columns) float32."""

    grain: Image  # the camera's noise and the finest roughness
    streaks: Image  # hair-fine lines along the rolling direction
    ripple: Image  # chatter across the rolling direction
    relief: Image  # a crumpled surface, lit from above
    patches: Image  # outlines of oxide and water marks, drawn out along y; one cell is 2x2 px
    mottle: Image  # cloudy greys of tens of pixels; one cell is 2x2 px


def correlated_noise(
    shape: tuple[int, int], sigma_y: float, sigma_x: float, rng: np.random.Generator
) -> Image:
    """Periodic Gaussian noise, smoothed by a Gaussian of the given sigmas (in cells), unit variance."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    fy = np.fft.fftfreq(shape[0])[:, None]
    fx = np.fft.rfftfreq(shape[1])[None, :]
    spectrum *= np.exp(-2.0 * np.pi**2 * ((sigma_y * fy) ** 2 + (sigma_x * fx) ** 2))
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=shape)
    return np.ascontiguousarray(field / field.std(), dtype=np.float32)


@cache
def fields() -> Fields:
    """The process's one set of fields; about 25 MB, drawn on first use in half a second."""
    rng = np.random.default_rng(_FIELD_SEED)
    fine, cells = (_ROWS, _COLUMNS), (1024, 1024)
    height = 0.5 * correlated_noise(fine, 1.8, 2.2, rng) + 2.2 * correlated_noise(fine, 4.5, 6.0, rng)
    slope = height - np.roll(height, (2, 1), axis=(0, 1))
    grain = correlated_noise(fine, 0.55, 0.62, rng) + 0.3 * correlated_noise(fine, 2.5, 1.2, rng)
    return Fields(
        grain=_unit(grain),
        streaks=_unit(correlated_noise(fine, 16.0, 0.8, rng) + 0.8 * correlated_noise(fine, 5.0, 1.3, rng)),
        ripple=_unit(correlated_noise(fine, 0.9, 7.0, rng) - 0.6 * correlated_noise(fine, 5.0, 12.0, rng)),
        relief=_unit(slope),
        patches=_unit(
            correlated_noise(cells, 28.0, 3.0, rng)
            + 0.7 * correlated_noise(cells, 9.0, 1.2, rng)
            + 0.25 * correlated_noise(cells, 1.5, 0.8, rng)
        ),
        mottle=_unit(correlated_noise(cells, 16.0, 7.0, rng) + 0.5 * correlated_noise(cells, 5.0, 4.0, rng)),
    )


def window(field: Image, y: int, x: int, height: int, width: int) -> Image:
    """The (height, width) part of a periodic field from row ``y`` and column ``x`` on; may be a view."""
    rows, columns = field.shape
    y, x = y % rows, x % columns
    if y + height <= rows and x + width <= columns:
        return field[y : y + height, x : x + width]
    taken = field.take(range(y, y + height), axis=0, mode="wrap")
    return taken.take(range(x, x + width), axis=1, mode="wrap")


def random_window(field: Image, height: int, width: int, rng: np.random.Generator) -> Image:
    """A window at a random place; for textures too fine for a seam to show."""
    rows, columns = field.shape
    y = int(rng.integers(0, max(1, rows - height + 1)))
    x = int(rng.integers(0, max(1, columns - width + 1)))
    return window(field, y, x, height, width)


def profile(width: int, sigmas_px: tuple[float, ...], weights: tuple[float, ...], seed: list[int]) -> Image:
    """A (width,) float32 curve across the strip: a weighted sum of smooth noises, each of unit variance."""
    rng = np.random.default_rng(seed)
    period = 2 * width
    total = np.zeros(width, np.float32)
    for sigma_px, weight in zip(sigmas_px, weights, strict=True):
        total += np.float32(weight) * correlated_noise((1, period), 0.0, sigma_px, rng)[0, :width]
    return total


def _unit(field: Image) -> Image:
    scaled = (field - field.mean()) / field.std()
    return np.ascontiguousarray(scaled, dtype=np.float32)
