"""Grey levels (0 to 255): of pictures as a whole, of the steel on them, and of defects against it."""

from dataclasses import dataclass, field

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from edge.training.data.percentiles import Percentiles
from edge.training.samples import Instance, Sample

BLACK_BELOW, WHITE_FROM = 8, 250
_NOISE_BLUR_PX = 1.5
_TEXTURE_BLUR_PX = 15.0
_SIGMA_BY_MAD = 1.4826  # of a normal distribution
_TEXTURE_STEP_PX = 8
_FEWEST_PX_AROUND = 50
_RING_PX = 20  # of steel around a defect's box, that it is compared with

Image = npt.NDArray[np.uint8]


class GreyStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Grey levels of pictures; percentiles are over pictures, each of which gives one number."""

    pictures: int
    histogram: list[int]
    """Pixels of each of the 256 levels, over all pictures."""
    mean: float
    std: float
    black: float
    """Part of all pixels that are darker than 8: beside the strip."""
    white: float
    """Part of all pixels from 250 on: overexposed."""
    mean_of_picture: Percentiles
    std_of_picture: Percentiles
    mean_of_steel: Percentiles | None
    """Of the columns whose mean is 8 or more."""
    noise: Percentiles | None
    """Standard deviation of what a blur of 1.5 px takes from the steel, by its median absolute deviation."""
    std_of_columns: Percentiles | None
    """Of the means of the steel's columns: light that varies across the strip."""
    std_of_rows: Percentiles | None
    """Of the means of the steel's rows: light that varies along the strip."""
    texture_across_1_px: Percentiles | None
    """Autocorrelation, one pixel across the strip, of what a blur of 15 px takes from the steel."""
    texture_along_1_px: Percentiles | None
    texture_across_8_px: Percentiles | None
    texture_along_8_px: Percentiles | None


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """Defects of one class against the 20 px of unmarked steel around their boxes."""

    level: Percentiles
    """Mean grey level within the mask less that around it."""
    roughness: Percentiles
    """Standard deviation within the mask by that around it."""


@dataclass(frozen=True, slots=True)
class _OfPicture:
    """One picture's numbers; those of the steel are nan where a picture shows none."""

    mean: float
    std: float
    steel_mean: float = np.nan
    noise: float = np.nan
    columns: float = np.nan
    rows: float = np.nan
    across_1: float = np.nan
    along_1: float = np.nan
    across_8: float = np.nan
    along_8: float = np.nan


@dataclass(slots=True)
class GreyMeter:
    """Takes pictures one after the other, so that a set need not fit into memory."""

    _histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    _pictures: list[_OfPicture] = field(default_factory=list)
    _contrasts: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Measure a picture and the defects on it."""
        self._histogram += np.bincount(sample.image.ravel(), minlength=256)
        self._pictures.append(_measure(sample.image))
        marked = np.zeros(sample.image.shape, np.bool_)
        for instance in sample.instances:
            x0, y0, x1, y1 = instance.box_px
            marked[y0:y1, x0:x1] |= instance.mask.decode()
        for instance in sample.instances:
            contrast = _contrast(sample.image, instance, marked)
            if contrast is not None:
                self._contrasts.setdefault(instance.class_id, []).append(contrast)

    def statistics(self) -> GreyStatistics | None:
        """What all pictures say together; None without one."""
        pixels = int(self._histogram.sum())
        if not pixels:
            return None
        levels = np.arange(256)
        mean = float((self._histogram * levels).sum() / pixels)
        of = self._percentiles
        return GreyStatistics(
            pictures=len(self._pictures),
            histogram=self._histogram.tolist(),
            mean=mean,
            std=float(np.sqrt((self._histogram * (levels - mean) ** 2).sum() / pixels)),
            black=float(self._histogram[:BLACK_BELOW].sum() / pixels),
            white=float(self._histogram[WHITE_FROM:].sum() / pixels),
            mean_of_picture=Percentiles.of_some([picture.mean for picture in self._pictures]),
            std_of_picture=Percentiles.of_some([picture.std for picture in self._pictures]),
            mean_of_steel=of("steel_mean"),
            noise=of("noise"),
            std_of_columns=of("columns"),
            std_of_rows=of("rows"),
            texture_across_1_px=of("across_1"),
            texture_along_1_px=of("along_1"),
            texture_across_8_px=of("across_8"),
            texture_along_8_px=of("along_8"),
        )

    def contrast(self, class_id: int) -> Contrast | None:
        """How a class differs from the steel around it; None if none was seen."""
        measured = self._contrasts.get(class_id)
        if measured is None:
            return None
        levels, roughness = np.array(measured).T
        return Contrast(level=Percentiles.of_some(levels), roughness=Percentiles.of_some(roughness))

    def _percentiles(self, name: str) -> Percentiles | None:
        values = np.array([getattr(picture, name) for picture in self._pictures])
        return Percentiles.of(values[~np.isnan(values)])


def _measure(image: Image) -> _OfPicture:
    mean, std = float(image.mean()), float(image.std())
    steel = image[:, image.mean(axis=0) >= BLACK_BELOW]
    if min(steel.shape) <= _TEXTURE_STEP_PX:
        return _OfPicture(mean, std)
    # Without the black beside it, whose edge would be no texture.
    grey = np.ascontiguousarray(steel, dtype=np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), _NOISE_BLUR_PX)
    texture = grey - cv2.GaussianBlur(grey, (0, 0), _TEXTURE_BLUR_PX)
    return _OfPicture(
        mean,
        std,
        steel_mean=float(steel.mean()),
        noise=float(_SIGMA_BY_MAD * np.median(np.abs(fine - np.median(fine)))),
        columns=float(steel.mean(axis=0).std()),
        rows=float(steel.mean(axis=1).std()),
        across_1=_autocorrelation(texture, 0, 1),
        along_1=_autocorrelation(texture, 1, 0),
        across_8=_autocorrelation(texture, 0, _TEXTURE_STEP_PX),
        along_8=_autocorrelation(texture, _TEXTURE_STEP_PX, 0),
    )


def _autocorrelation(texture: npt.NDArray[np.float32], dy: int, dx: int) -> float:
    """Correlation of each pixel with the one so much further; nan where all is flat."""
    height, width = texture.shape
    here, there = texture[: height - dy, : width - dx], texture[dy:, dx:]
    variance = float((texture**2).mean())
    return float((here * there).mean()) / variance if variance else np.nan


def _contrast(image: Image, instance: Instance, marked: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """Level and roughness of one defect against the steel around; None if there is none around."""
    x0, y0, x1, y1 = instance.box_px
    window = np.s_[max(0, y0 - _RING_PX) : y1 + _RING_PX, max(0, x0 - _RING_PX) : x1 + _RING_PX]
    around = image[window][~marked[window] & (image[window] >= BLACK_BELOW)].astype(np.float32)
    within = image[y0:y1, x0:x1][instance.mask.decode()].astype(np.float32)
    if around.size < _FEWEST_PX_AROUND or not around.std():
        return None
    return float(within.mean() - around.mean()), float(within.std() / around.std())
