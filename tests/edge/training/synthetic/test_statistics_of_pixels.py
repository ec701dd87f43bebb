"""Drawn frames against Severstal's: light, black beside the strip, noise, texture, contrast of defects.

Figures of the steel are those of 116 unmodified real frames, and every drawn frame goes through the real
files' JPEG coding before it is measured. Where the real frames are at hand, the same code measures them.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.training.data import rle
from edge.training.synthetic import SyntheticStrip
from edge.training.synthetic.write import encode_as_severstal

FRAMES, FRAMES_PER_CLASS = 100, 30

# Percentiles 5, 50, 95 of the frames.
STEEL_MEAN = (49, 88, 133)
NOISE = (2.4, 4.6, 7.4)
DEVIATION_OF_COLUMNS = (9, 16.7, 36)
DEVIATION_OF_ROWS = (5, 11, 30)
# Mean autocorrelations of the steel less its blur of 15 px: along x and y, at lags of 1 and 8 px.
AUTOCORRELATIONS = {"dx1": 0.70, "dy1": 0.62, "dx8": 0.08, "dy8": 0.26}
BLACK_BANDS, BLACK_PIXELS = 0.51, 0.207
MEAN, DEVIATION = 74.1, 51.5
# Medians over the components of 134 real masks: mean grey less that of the ring of 24 px around, over it;
# and the deviation of the detail (grey less its blur of 8 px) over the ring's.
RELATIVE_DELTA = (-0.01, -0.06, -0.02, -0.11)
ROUGHNESS = (1.76, 1.05, 2.01, 1.66)

Picture = np.ndarray


def as_file(image: Picture) -> Picture:
    """A picture after the real files' coding."""
    decoded = cv2.imdecode(np.frombuffer(encode_as_severstal(image), np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(decoded)


@cache
def drawn() -> list[Picture]:
    """Frames of as many coils."""
    strip = SyntheticStrip(77, frames_per_coil=1)
    return [as_file(strip.frame(index).image) for index in range(FRAMES)]


def steel_of(image: Picture) -> Picture | None:
    """The columns that show steel, (256, W) float32; None if they are too few to measure."""
    steel = image[:, image.mean(axis=0) >= 8].astype(np.float32)
    return steel if steel.shape[1] >= 160 else None


def texture(images: Iterable[Picture]) -> dict[str, np.ndarray]:
    """Each measure of the steel of each frame that shows enough of it."""
    measured = [measure(steel) for steel in map(steel_of, images) if steel is not None]
    return {name: np.array([one[name] for one in measured]) for name in measured[0]}


@cache
def drawn_texture() -> dict[str, np.ndarray]:
    """The measures of the drawn frames."""
    return texture(drawn())


def measure(steel: Picture) -> dict[str, float]:
    """Grey level, noise (deviation by the median of grey less its blur of 1.5 px), autocorrelations."""
    fine = steel - cv2.GaussianBlur(steel, (0, 0), 1.5)
    rough = steel - cv2.GaussianBlur(steel, (0, 0), 15)
    rough -= rough.mean()
    power = float((rough**2).mean())
    return {
        "mean": float(steel.mean()),
        "noise": 1.4826 * float(np.median(np.abs(fine - np.median(fine)))),
        "columns": float(steel.mean(axis=0).std()),
        "rows": float(steel.mean(axis=1).std()),
        **{f"dx{lag}": float((rough[:, lag:] * rough[:, :-lag]).mean()) / power for lag in (1, 8)},
        **{f"dy{lag}": float((rough[lag:] * rough[:-lag]).mean()) / power for lag in (1, 8)},
    }


def contrasts(image: Picture, mask: Picture) -> Iterator[tuple[float, float]]:
    """Relative difference in grey, and ratio of roughness, of each component and the steel around it."""
    grey = image.astype(np.float32)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    clear = (cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) == 0) & (image > 12)
    for label, (x, y, width, height, _) in zip(range(1, count), boxes[1:], strict=True):
        window = np.s_[max(0, y - 24) : y + height + 24, max(0, x - 24) : x + width + 24]
        inside = labels[window] == label
        ring = (cv2.dilate(inside.astype(np.uint8), np.ones((45, 45))) > 0) & clear[window]
        if inside.sum() >= 100 and ring.sum() >= 200:
            around = grey[window][ring].mean()
            ratio = detail[window][inside].std() / detail[window][ring].std()
            yield float(grey[window][inside].mean() / around - 1.0), float(ratio)


def test_steel_is_as_bright_as_the_real_one() -> None:
    """The median of the frames' steel lies within 8 % of the real one, percentiles 5 and 95 within 16 %."""
    found = np.percentile(drawn_texture()["mean"], [5, 50, 95])
    assert found[1] == pytest.approx(STEEL_MEAN[1], rel=0.08)
    assert found == pytest.approx(STEEL_MEAN, rel=0.16)


def test_noise_is_as_strong_as_the_real_one() -> None:
    """Its median lies within 12 % of the real one, percentiles 5 and 95 within 25 %."""
    found = np.percentile(drawn_texture()["noise"], [5, 50, 95])
    assert found[1] == pytest.approx(NOISE[1], rel=0.12)
    assert found == pytest.approx(NOISE, rel=0.25)


@pytest.mark.parametrize("name", AUTOCORRELATIONS)
def test_texture_is_as_fine_and_as_streaked_as_the_real_one(name: str) -> None:
    """Each mean autocorrelation lies within 0.06 of the real one."""
    assert drawn_texture()[name].mean() == pytest.approx(AUTOCORRELATIONS[name], abs=0.06)


def test_light_varies_across_and_along_the_strip_as_on_real_frames() -> None:
    """Medians of the deviations of column and row means lie within 25 % of the real ones."""
    found = drawn_texture()
    assert np.median(found["columns"]) == pytest.approx(DEVIATION_OF_COLUMNS[1], rel=0.25)
    assert np.median(found["rows"]) == pytest.approx(DEVIATION_OF_ROWS[1], rel=0.25)


def test_as_much_black_is_seen_beside_the_strip() -> None:
    """Frames with a black band wider than 1 %: within 12 points; black pixels: within 7 points."""
    bands = [(image.mean(axis=0) < 8).mean() > 0.01 for image in drawn()]
    assert np.mean(bands) == pytest.approx(BLACK_BANDS, abs=0.12)
    assert np.mean([(image < 8).mean() for image in drawn()]) == pytest.approx(BLACK_PIXELS, abs=0.07)


def test_all_pixels_have_the_real_mean_and_deviation() -> None:
    """What a model's PIXEL_MEAN and PIXEL_STD are made of: within 12 % of the real ones."""
    pixels = np.stack(drawn())
    assert pixels.mean() == pytest.approx(MEAN, rel=0.12)
    assert pixels.std() == pytest.approx(DEVIATION, rel=0.12)


@pytest.mark.parametrize("class_id", range(4))
def test_defects_stand_out_as_much_as_real_ones(class_id: int) -> None:
    """Medians over the components: grey within 5 points of the real one, roughness within 30 %."""
    strip = SyntheticStrip(5, defect_rate=1.0, frames_per_coil=1, combinations={(class_id,): 1.0})
    found = []
    for frame in map(strip.frame, range(FRAMES_PER_CLASS)):
        mask = np.zeros(frame.image.shape, np.bool_)
        for defect in frame.defects:
            x0, y0, x1, y1 = defect.box_px
            mask[y0:y1, x0:x1] |= defect.mask.decode()
        found += contrasts(as_file(frame.image), mask)
    delta, ratio = np.median(found, axis=0)
    assert delta == pytest.approx(RELATIVE_DELTA[class_id], abs=0.05)
    assert ratio == pytest.approx(ROUGHNESS[class_id], rel=0.3)


def test_the_real_frames_measure_so(shared_data: Path) -> None:
    """The code above finds on the real frames at hand, which are others, what it expects of drawn ones."""
    paths = sorted((shared_data / "severstal" / "train_images").glob("*.jpg"))[::3]
    found = texture(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths)
    for name, expected in AUTOCORRELATIONS.items():
        assert found[name].mean() == pytest.approx(expected, abs=0.06)
    assert np.median(found["noise"]) == pytest.approx(NOISE[1], rel=0.15)
    assert np.median(found["mean"]) == pytest.approx(STEEL_MEAN[1], rel=0.15)


def test_the_real_defects_measure_so(shared_data: Path) -> None:
    """So do their contrasts."""
    found: dict[int, list[tuple[float, float]]] = {class_id: [] for class_id in range(4)}
    folder = shared_data / "severstal"
    for row in csv.DictReader((folder / "train.csv").read_text().splitlines()):
        path = folder / "train_images" / row["ImageId"]
        if path.exists():
            image = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
            found[int(row["ClassId"]) - 1] += contrasts(image, rle.decode(row["EncodedPixels"], 256, 1600))
    for class_id, values in found.items():
        delta, ratio = np.median(values, axis=0)
        assert delta == pytest.approx(RELATIVE_DELTA[class_id], abs=0.03)
        assert ratio == pytest.approx(ROUGHNESS[class_id], rel=0.15)
