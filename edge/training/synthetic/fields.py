"""Fields of correlated noise from which the steel's textures are cut.

Drawing a million normal numbers takes longer than rendering a frame, so the fields are drawn once for each
process, from a fixed seed, and a frame takes windows of them. All fields repeat seamlessly in both axes.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

_FIELD_SEED = 20190725
_ROWS, _COLUMNS = 512, 2048


@dataclass(frozen=True, slots=True)
class Fields:
    """Zero-mean, unit-variance fields; (rows, columns) float32."""

    grain: Image  # the finest roughness: heavy tails, most of all bright ones; unit variance by its median
    streaks: Image  # hair-fine lines along the rolling direction
    ripple: Image  # chatter across the rolling direction, in lines that wander
    relief: Image  # a crumpled surface, lit from above
    folds: Image  # coarser: ridges and dents of a torn skin, lit from above
    patches: Image  # outlines of oxide and water marks, drawn out along y; one cell is 2x2 px
    mottle: Image  # cloudy greys of tens of pixels; one cell is 2x2 px


def correlated_noise(
    shape: tuple[int, int], sigma_y: float, sigma_x: float, rng: np.random.Generator
) -> Image:
    """Periodic Gaussian noise, smoothed by a Gaussian of the given sigmas (in cells), unit variance."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    damping_y = np.exp(-2.0 * np.pi**2 * (sigma_y * np.fft.fftfreq(shape[0])) ** 2)
    damping_x = np.exp(-2.0 * np.pi**2 * (sigma_x * np.fft.rfftfreq(shape[1])) ** 2)
    spectrum *= damping_y[:, None].astype(np.float32)
    spectrum *= damping_x[None, :].astype(np.float32)
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=shape)
    return np.ascontiguousarray(field / field.std(), dtype=np.float32)


@cache
def fields() -> Fields:
    """The process's one set of fields; about 30 MB, drawn on first use in a second."""
    rng = np.random.default_rng(_FIELD_SEED)
    fine, cells = (_ROWS, _COLUMNS), (1024, 1024)
    slope = _lit(0.5 * correlated_noise(fine, 1.8, 2.2, rng) + 2.2 * correlated_noise(fine, 4.5, 6.0, rng))
    ripple = (
        correlated_noise(fine, 0.8, 5.0, rng)
        + 0.9 * _waves(fine, 1.0, 7.0, rng)
        + 0.5 * _waves(fine, 1.8, 20.0, rng)
    )
    return Fields(
        grain=_grain(fine, rng),
        streaks=_unit(correlated_noise(fine, 16.0, 0.8, rng) + 0.8 * correlated_noise(fine, 5.0, 1.3, rng)),
        ripple=_unit(_wandering(ripple, rng)),
        relief=_unit(slope),
        folds=_folds(fine, rng),
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


def scaled_window(field: Image, height: int, width: int, scale: float, rng: np.random.Generator) -> Image:
    """A window at a random place, enlarged ``scale`` times: the same texture, coarser."""
    part = random_window(field, max(2, round(height / scale)), max(2, round(width / scale)), rng)
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


def profile(width: int, sigmas_px: tuple[float, ...], weights: tuple[float, ...], seed: list[int]) -> Image:
    """A (width,) float32 curve across the strip: a weighted sum of smooth noises, each of unit variance."""
    period = 2 * width
    frequency = np.fft.rfftfreq(period)
    noise = np.random.default_rng(seed).standard_normal((len(sigmas_px), period))
    total = np.zeros(frequency.size, np.complex128)
    for row, sigma_px, weight in zip(np.fft.rfft(noise), sigmas_px, weights, strict=True):
        smooth = row * np.exp(-2.0 * np.pi**2 * (sigma_px * frequency) ** 2)
        smooth[0] = 0.0
        deviation = np.sqrt(2.0 * np.sum(np.abs(smooth) ** 2)) / period  # Parseval's theorem
        total += (weight / deviation) * smooth
    return np.fft.irfft(total, n=period)[:width].astype(np.float32)


def _grain(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Roughness whose strength varies from place to place and whose tails are those of real steel.

    Of Severstal's frames, 1 % of the pixels lie 3.7 deviations (of the median) above their surroundings and
    1 % lie 3.3 below; a normal distribution has 2.3.
    """
    noise = correlated_noise(shape, 0.42, 0.56, rng) + 0.15 * correlated_noise(shape, 2.5, 1.2, rng)
    strength = np.exp(0.22 * correlated_noise(shape, 7.0, 2.5, rng))
    tails = 1.0 + np.where(noise > 0, 0.07, 0.035) * noise**2
    grain = noise * strength * tails
    return np.ascontiguousarray(grain / (1.4826 * np.median(np.abs(grain))), dtype=np.float32)


def _folds(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Sharp ridges where a smooth noise crosses zero, in two sizes, under a finer crumple."""
    coarse = -np.abs(correlated_noise(shape, 9.0, 14.0, rng))
    medium = -np.abs(correlated_noise(shape, 4.0, 5.0, rng))
    fine = correlated_noise(shape, 1.2, 1.6, rng)
    return _unit(_lit(6.0 * coarse + 2.0 * medium + 0.25 * fine))


def _lit(height: Image) -> Image:
    """The slope that faces the lamp."""
    return height - np.roll(height, (2, 1), axis=(0, 1))


def _waves(shape: tuple[int, int], sigma_y: float, sigma_x: float, rng: np.random.Generator) -> Image:
    """Short waves along y, about six sigmas long: a Gaussian less a wider one."""
    state = rng.bit_generator.state
    narrow = correlated_noise(shape, sigma_y, sigma_x, rng)
    rng.bit_generator.state = state
    wide = correlated_noise(shape, 1.6 * sigma_y, sigma_x, rng)
    return _unit(narrow - wide)


def _wandering(field: Image, rng: np.random.Generator) -> Image:
    """Shift the columns along y by a smooth periodic curve: straight lines become wavy ones."""
    rows, columns = field.shape
    shift = 12.0 * correlated_noise((1, columns), 0.0, 150.0, rng)[0]
    y = np.arange(rows)[:, None] + shift[None, :]
    above = np.floor(y).astype(int)
    share = (y - above).astype(np.float32)
    first = np.take_along_axis(field, above % rows, axis=0)
    second = np.take_along_axis(field, (above + 1) % rows, axis=0)
    return np.asarray(first + share * (second - first), dtype=np.float32)


def _unit(field: Image) -> Image:
    scaled = (field - field.mean()) / field.std()
    return np.ascontiguousarray(scaled, dtype=np.float32)
