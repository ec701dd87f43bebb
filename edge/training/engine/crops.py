"""Where a crop is taken: anywhere, as Detectron2 does, or rather where there is something to learn."""

import numpy as np

from edge.training.samples import Sample, crop_sample
from edge.training.synthetic.chance import chance

_AT_DEFECT = 0.7
_AT_EDGE = 0.35
_BLACK = 10  # grey level below which a column lies beside the strip
_ROW_STEP_PX = 8  # enough to tell steel from what lies beside it

Rng = np.random.Generator


def crop_anywhere(sample: Sample, size: tuple[int, int], rng: Rng) -> Sample:
    """Cut out a window of (height, width) px, every place being as likely."""
    height, width = sample.image.shape
    y, x = int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1))
    return crop_sample(sample, x, y, width=size[1], height=size[0])


def crop_at_defects(sample: Sample, size: tuple[int, int], rng: Rng) -> Sample:
    """Cut out a window of (height, width) px, mostly around a random defect; else anywhere on steel."""
    height, width = sample.image.shape
    if sample.instances and chance(_AT_DEFECT, rng):
        x0, y0, x1, y1 = sample.instances[int(rng.integers(len(sample.instances)))].box_px
    else:
        x0 = _steel_column(sample, rng)
        y0, x1, y1 = 0, x0 + 1, height
    x = _offset_showing(x0, x1, size[1], width, rng)
    y = _offset_showing(y0, y1, size[0], height, rng)
    return crop_sample(sample, x, y, width=size[1], height=size[0])


def _steel_column(sample: Sample, rng: Rng) -> int:
    """A random column that shows steel, often the first or the last: strip edges look like defects."""
    steel = np.flatnonzero(sample.image[::_ROW_STEP_PX].mean(axis=0) > _BLACK)
    if not steel.size:
        return int(rng.integers(sample.image.shape[1]))
    if chance(_AT_EDGE, rng):
        return int(steel[rng.choice([0, -1])])
    return int(steel[int(rng.integers(steel.size))])


def _offset_showing(low: int, high: int, window: int, whole: int, rng: Rng) -> int:
    """A random offset whose window shows [low, high), or a part of it if it is wider."""
    first, last = sorted((high - window, low))
    return int(np.clip(rng.integers(first, last + 1), 0, whole - window))
