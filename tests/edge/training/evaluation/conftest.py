"""Frames and detections made by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from edge.contracts.mask import Mask
from edge.training.samples import Instance, Sample, tight_instance
from edge.vision.detections import Detections

Found = tuple[Mask, float, int]
MakeSample = Callable[..., Sample]
MakeDetections = Callable[..., Detections]


def detections_of(*found: Found, masks: bool = True) -> Detections:
    """Detections of masks with scores and class ids, best first."""
    ordered = sorted(found, key=lambda entry: -entry[1])
    boxes = [(m.x, m.y, m.x + m.width, m.y + m.height) for m, _, _ in ordered]
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in ordered], np.float32),
        classes=np.array([class_id for _, _, class_id in ordered], np.int64),
        masks=tuple(mask for mask, _, _ in ordered) if masks else None,
    )


@pytest.fixture
def square() -> Callable[..., Mask]:
    """Make a filled square at (x, y)."""

    def make(x: int, y: int = 0, size: int = 10) -> Mask:
        return Mask.encode(np.ones((size, size), np.bool_), x=x, y=y)

    return make


@pytest.fixture
def detections() -> MakeDetections:
    """Make detections of (mask, score, class id), best first."""
    return detections_of


@pytest.fixture
def frame() -> MakeSample:
    """Make a black frame of 64 x 64 px with defects, (mask, class id) each."""

    def make(*defects: tuple[Mask, int], name: str = "frame.jpg") -> Sample:
        instances = tuple(Instance(class_id, mask) for mask, class_id in defects)
        return Sample(np.zeros((64, 64), np.uint8), instances, name=name)

    return make


@pytest.fixture
def chance_frames() -> Callable[[int], tuple[list[Sample], list[Detections]]]:
    """Make frames of blobs and detections that are nearly right, by a seed: two classes."""

    def make(seed: int) -> tuple[list[Sample], list[Detections]]:
        rng = np.random.default_rng(seed)
        frames, found = [], []
        for number in range(int(rng.integers(2, 6))):
            defects = [_blob(rng) for _ in range(int(rng.integers(0, 4)))]
            noise = [_blob(rng) for _ in range(int(rng.integers(0, 3)))]
            kept = [(_shifted(i, rng), float(rng.uniform()), i.class_id) for i in defects]
            alarms = [(i.mask, float(rng.uniform()), i.class_id) for i in noise]
            picture = np.zeros((24, 40), np.uint8)
            frames.append(Sample(picture, tuple(defects), name=f"{seed}-{number}.png"))
            found.append(detections_of(*kept, *alarms))
        return frames, found

    return make


def _blob(rng: np.random.Generator) -> Instance:
    """A ragged region somewhere on a frame of 24 x 40 px."""
    height, width = (int(n) for n in rng.integers(2, 12, 2))
    crop = rng.uniform(size=(height, width)) < 0.7
    crop[0, 0] = True
    instance = tight_instance(
        int(rng.integers(2)), crop, int(rng.integers(0, 40 - width)), int(rng.integers(0, 24 - height))
    )
    assert instance is not None
    return instance


def _shifted(instance: Instance, rng: np.random.Generator) -> Mask:
    x = int(np.clip(instance.mask.x + rng.integers(-2, 3), 0, 40 - instance.mask.width))
    return Mask.encode(instance.mask.decode(), x=x, y=instance.mask.y)
