"""An endless stream of samples: synthetic strip, real frames, and real defects on other real steel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from edge.training.engine.losses import Target
from edge.training.engine.paste import paste_defects
from edge.training.samples import Instance, Sample, augment, crop_sample
from edge.training.synthetic import BALANCED_COMBINATIONS, SyntheticStrip
from edge.training.synthetic.chance import chance

# Crops taken of each synthetic frame, which costs more to draw than to cut.
_CROPS_PER_FRAME = 2
_AT_DEFECT = 0.7
_AT_EDGE = 0.35
_JPEG_QUALITY = (80, 96)
_MOST_PASTED = 4
_CLEAN = 1 / 5
_BLACK = 10  # grey level below which a column lies beside the strip
_TRAINING_SEED = 1_000_000  # seeds below are for validation and for demonstrations


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of the stream's sources; without real frames all is synthetic."""

    synthetic: float = 0.4
    real: float = 0.38
    pasted: float = 0.22


@dataclass(frozen=True, slots=True)
class Example:
    """One training picture as tensors: ``image`` (3, H, W) uint8, three equal channels."""

    image: Tensor
    target: Target


class TrainingStream(IterableDataset[Example]):
    """Crops of ``crop_px`` (height, width), augmented; each worker draws its own sequence from ``seed``."""

    def __init__(
        self, real: Sequence[Sample], crop_px: tuple[int, int], *, seed: int, mixture: Mixture | None = None
    ) -> None:
        super().__init__()
        self._real = list(real)
        self._crop_px = crop_px
        self._seed = seed
        self._mixture = mixture or Mixture()

    def __iter__(self) -> Iterator[Example]:
        """Yield for ever."""
        cv2.setNumThreads(1)
        worker = get_worker_info()
        seed = self._seed + (worker.id if worker else 0)
        rng = np.random.default_rng([_TRAINING_SEED, seed])
        real = _RealFrames(self._real)
        synthetic = self._synthetic_crops(seed, rng)
        shares = _shares(self._mixture, have_real=bool(self._real))
        while True:
            kind = rng.choice(len(shares), p=shares)
            if kind == 0:
                sample = next(synthetic)
            elif kind == 1:
                sample = choose_crop(real.draw(rng), self._crop_px, rng)
            else:
                sample = self._pasted_crop(real, rng)
            yield to_example(augment(sample, rng))

    def _synthetic_crops(self, seed: int, rng: np.random.Generator) -> Iterator[Sample]:
        strip = SyntheticStrip(
            _TRAINING_SEED + seed, defect_rate=0.8, frames_per_coil=3, combinations=BALANCED_COMBINATIONS
        )
        index = int(rng.integers(1_000_000_000))
        while True:
            frame = strip.frame(index)
            index += 1
            instances = tuple(Instance(d.class_id, d.mask) for d in frame.defects)
            sample = Sample(frame.image, instances)
            for _ in range(_CROPS_PER_FRAME):
                yield compress(choose_crop(sample, self._crop_px, rng), rng)

    def _pasted_crop(self, real: "_RealFrames", rng: np.random.Generator) -> Sample:
        sources = [augment(real.draw(rng), rng) for _ in range(2)]
        target = real.draw_clean(rng) if chance(0.6, rng) else real.draw(rng)
        pasted = paste_defects(target, sources, int(rng.integers(1, _MOST_PASTED + 1)), rng)
        return choose_crop(pasted, self._crop_px, rng)


class _RealFrames:
    """Real frames, drawn so that rare classes are not drowned, and one draw in five is clean."""

    def __init__(self, frames: Sequence[Sample]) -> None:
        self._clean = [f for f in frames if not f.instances] or list(frames)
        classes = sorted({i.class_id for f in frames for i in f.instances})
        self._by_class = [[f for f in frames if any(i.class_id == c for i in f.instances)] for c in classes]
        # Between equal shares and natural ones: class 3 looks the most diverse.
        weights = np.array([len(group) ** 0.5 for group in self._by_class])
        self._weights = weights / max(1e-9, weights.sum())

    def draw(self, rng: np.random.Generator) -> Sample:
        if chance(_CLEAN, rng) or not self._by_class:
            return self.draw_clean(rng)
        group = self._by_class[int(rng.choice(len(self._by_class), p=self._weights))]
        return group[int(rng.integers(len(group)))]

    def draw_clean(self, rng: np.random.Generator) -> Sample:
        return self._clean[int(rng.integers(len(self._clean)))]


def choose_crop(sample: Sample, crop_px: tuple[int, int], rng: np.random.Generator) -> Sample:
    """Cut out a window, mostly around a random defect; else anywhere on steel."""
    height, width = sample.image.shape
    crop_height, crop_width = min(crop_px[0], height), min(crop_px[1], width)
    if sample.instances and chance(_AT_DEFECT, rng):
        x0, y0, x1, y1 = sample.instances[int(rng.integers(len(sample.instances)))].box_px
    else:
        x0 = _steel_column(sample, rng)
        y0, x1, y1 = 0, x0 + 1, height
    x = _offset_showing(x0, x1, crop_width, width, rng)
    y = _offset_showing(y0, y1, crop_height, height, rng)
    return crop_sample(sample, x, y, crop_width, crop_height)


def compress(sample: Sample, rng: np.random.Generator) -> Sample:
    """Give a drawn picture the traces of JPEG that every real frame has."""
    quality = int(rng.integers(*_JPEG_QUALITY))
    _, encoded = cv2.imencode(".jpg", sample.image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return Sample(decoded, sample.instances, sample.name)


def to_example(sample: Sample) -> Example:
    """Turn a sample into tensors."""
    height, width = sample.image.shape
    image = torch.from_numpy(sample.image).expand(3, height, width)
    count = len(sample.instances)
    masks = np.zeros((count, height, width), np.bool_)
    for mask, instance in zip(masks, sample.instances, strict=True):
        x0, y0, x1, y1 = instance.box_px
        mask[y0:y1, x0:x1] = instance.mask.decode()
    boxes = np.array([i.box_px for i in sample.instances], np.float32).reshape(count, 4)
    classes = np.array([i.class_id for i in sample.instances], np.int64)
    return Example(image, Target(torch.from_numpy(boxes), torch.from_numpy(classes), torch.from_numpy(masks)))


def _steel_column(sample: Sample, rng: np.random.Generator) -> int:
    """A random column that shows steel, often the first or the last: strip edges look like defects."""
    steel = np.flatnonzero(sample.image[::8].mean(axis=0) > _BLACK)
    if not steel.size:
        return int(rng.integers(sample.image.shape[1]))
    if chance(_AT_EDGE, rng):
        return int(steel[rng.choice([0, -1])])
    return int(steel[int(rng.integers(steel.size))])


def _offset_showing(low: int, high: int, window: int, whole: int, rng: np.random.Generator) -> int:
    """A random offset whose window shows [low, high), or a part of it if it is wider."""
    first, last = sorted((high - window, low))
    return int(np.clip(rng.integers(first, last + 1), 0, whole - window))


def _shares(mixture: Mixture, *, have_real: bool) -> list[float]:
    if not have_real:
        return [1.0]
    parts = [mixture.synthetic, mixture.real, mixture.pasted]
    return [part / sum(parts) for part in parts]
