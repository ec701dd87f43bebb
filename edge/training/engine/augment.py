"""Ways to vary a frame beyond Detectron2's config, none of which turns the rolling direction."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.engine.choices import Augmentation
from edge.training.samples import Sample, relight
from edge.training.synthetic.chance import chance

_GAIN = (0.75, 1.3)
_GAMMA = (0.85, 1.2)
_BLUR = (0.25, (0.4, 1.1))  # probability, standard deviation in px
_NOISE = (0.3, (1.0, 6.0))  # probability, standard deviation in grey levels
_SHADE = (0.3, 0.25, (0.3, 1.5))  # probability, largest part of the brightness, periods across the picture
_STRETCH_ACROSS = (0.6, (0.8, 1.25))
# Along the strip frames are short: what is cut out may be smaller than the crop, never larger.
_STRETCH_ALONG = (0.5, (1.0, 1.2))

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Stretch:
    """Factors by which a picture becomes higher (along the strip) and wider (across it)."""

    along: float = 1.0
    across: float = 1.0


def draw_stretch(level: Augmentation, rng: Rng) -> Stretch:
    """Draw the stretch of one picture: another speed of the line, another lens."""
    if level != Augmentation.STRONG:
        return Stretch()
    return Stretch(along=_sometimes(_STRETCH_ALONG, rng), across=_sometimes(_STRETCH_ACROSS, rng))


def vary_picture(sample: Sample, level: Augmentation, rng: Rng) -> Sample:
    """Vary grey levels, not places."""
    if level == Augmentation.NONE:
        return sample
    relit = relight(sample, gain=float(rng.uniform(*_GAIN)), gamma=float(rng.uniform(*_GAMMA)))
    return relit if level == Augmentation.LIGHT else _degrade(relit, rng)


def _degrade(sample: Sample, rng: Rng) -> Sample:
    """Blur, add noise, and let the light change slowly across the strip, each of them now and then."""
    image = sample.image
    if chance(_BLUR[0], rng):
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*_BLUR[1]))), dtype=np.uint8)
    if chance(_NOISE[0], rng):
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE[1]))
        image = _grey(image + noise)
    if chance(_SHADE[0], rng):
        image = _grey(image * _shade(image.shape[1], rng))
    return replace(sample, image=image)


def _shade(width_px: int, rng: Rng) -> npt.NDArray[np.float32]:
    """(W,) brightness across the strip: part of a wave around 1."""
    _, depth, periods = _SHADE
    phase = np.linspace(0, 1, width_px) * rng.uniform(*periods) + rng.random()
    return np.asarray(1 + rng.uniform(-depth, depth) * np.sin(2 * np.pi * phase), dtype=np.float32)


def _sometimes(law: tuple[float, tuple[float, float]], rng: Rng) -> float:
    probability, bounds = law
    return float(rng.uniform(*bounds)) if chance(probability, rng) else 1.0


def _grey(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(values + 0.5, 0, 255), dtype=np.uint8)
