"""Small labelled sets."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contracts.mask import Mask
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.samples import Instance

HEIGHT_PX, WIDTH_PX = 64, 160

Marks = dict[str, list[tuple[int, tuple[int, int, int, int]]]]
"""By frame: class id and box (x0, y0, x1, y1) of each defect, whose mask fills the box."""

MakeDataset = Callable[[Marks], Dataset]


def textured(seed: int, height: int = HEIGHT_PX, width: int = WIDTH_PX) -> np.ndarray:
    """A picture with large and small structure, another one for each seed."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(40, 200, (4, 8)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 5, (height, width)), 0, 255).astype(np.uint8)


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """A set of frames with boxes, each with a picture of its own; a box is 60 levels darker."""

    def make(marks: Marks) -> Dataset:
        frames = []
        for seed, (name, boxes) in enumerate(marks.items()):
            image = textured(seed).astype(np.int16)
            instances = []
            for class_id, (x0, y0, x1, y1) in boxes:
                image[y0:y1, x0:x1] -= 60
                mask = Mask(x=x0, y=y0, width=x1 - x0, height=y1 - y0, counts=[0, (x1 - x0) * (y1 - y0)])
                instances.append(Instance(class_id, mask))
            cv2.imwrite(str(tmp_path / name), np.clip(image, 0, 255).astype(np.uint8))
            frames.append(LabelledFrame(tmp_path / name, HEIGHT_PX, WIDTH_PX, tuple(instances)))
        return Dataset("small", ("scratch", "scale", "dent"), tuple(frames))

    return make
