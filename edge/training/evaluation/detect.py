"""Running a model over labelled frames."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.errors import CorruptImageError
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.labelled import picture_of
from edge.training.samples import Sample
from edge.vision.detections import Detections
from edge.vision.runtime import Image, Runtime

# Low enough for every threshold that tuning tries, and COCO's habit for average precision.
LOWEST_SCORE = 0.05


def read_grey(path: Path) -> Image:
    """Read a picture that has no labels, as (H, W) uint8 grey.

    Raises:
        CorruptImageError: the file is no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise CorruptImageError(f"{path}: cannot be read as a picture")
    return np.asarray(image, dtype=np.uint8)


def detect_all(
    runtime: Runtime, frames: Sequence[Sample | LabelledFrame], progress: Callable[[], None] = lambda: None
) -> tuple[list[Detections], float]:
    """Detections on each frame, and frames per second of inference, one by one.

    Raises:
        CorruptImageError: a frame's file cannot be read.
    """
    found, seconds = [], 0.0
    for frame in frames:
        image = picture_of(frame).image
        start = time.perf_counter()
        found += runtime.infer([image])
        seconds += time.perf_counter() - start
        progress()
    return found, len(found) / seconds if seconds else 0.0
