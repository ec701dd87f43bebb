"""A runtime without a model: the same picture always gives the same defects. For tests and benchmarks."""

import time
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.vision.detections import Detections
from edge.vision.device import DeviceUse
from edge.vision.runtime import Image, require_image

# Defects take 2 to 30 % of each side of the picture, as most real ones do.
SMALLEST_PART, LARGEST_PART = 0.02, 0.3
LOWEST_SCORE = 0.5
MS_PER_S = 1000


class FakeRuntime:
    """Finds ``defects_per_frame`` ellipses, placed by the picture's content, after the delay it is told."""

    name = "fake"
    device = "none"
    precision = "none"
    model_name = "fake"
    model_version = "000000000000"

    def __init__(
        self,
        *,
        defects_per_frame: int = 1,
        masks: bool = True,
        class_names: tuple[str, ...] = ("class_0", "class_1", "class_2", "class_3"),
        delay_ms_per_batch: float = 0.0,
        delay_ms_per_frame: float = 0.0,
    ) -> None:
        self.defects_per_frame = defects_per_frame
        self.masks = masks
        self.class_names = class_names
        self.delay_ms_per_batch = delay_ms_per_batch
        self.delay_ms_per_frame = delay_ms_per_frame

    def warmup(self) -> None:
        """Do nothing: there is nothing to warm."""

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Return for each image its defects, after the delay of this batch.

        Raises:
            InferenceError: an image is neither (H, W) grey nor (H, W, 3) BGR uint8.
        """
        for image in images:
            require_image(image)
        delay_ms = self.delay_ms_per_batch + self.delay_ms_per_frame * len(images)
        if delay_ms > 0:
            time.sleep(delay_ms / MS_PER_S)
        return [self._detect(image) for image in images]

    def device_use(self) -> DeviceUse | None:
        """Return None: it runs on no device."""
        return None

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _detect(self, image: Image) -> Detections:
        random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).data))
        boxes = _boxes(random, self.defects_per_frame, image.shape[0], image.shape[1])
        scores = np.sort(random.uniform(LOWEST_SCORE, 1.0, len(boxes)))[::-1].astype(np.float32)
        classes = random.integers(len(self.class_names), size=len(boxes))
        masks = tuple(_ellipse(box) for box in boxes) if self.masks else None
        return Detections(boxes, scores, classes, masks)


def _boxes(random: np.random.Generator, count: int, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return (count, 4) boxes of whole pixels inside the picture."""
    frame = np.array([width, height])
    sizes = np.ceil(random.uniform(SMALLEST_PART, LARGEST_PART, (count, 2)) * frame)
    corners = np.floor(random.uniform(0, 1, (count, 2)) * (frame - sizes))
    return np.hstack((corners, corners + sizes)).astype(np.float32)


def _ellipse(box: npt.NDArray[np.float32]) -> Mask:
    """Return the ellipse that touches the sides of a box of whole pixels."""
    x0, y0, x1, y1 = (int(edge) for edge in box)
    x = (np.arange(x1 - x0) + 0.5) / (x1 - x0) * 2 - 1
    y = (np.arange(y1 - y0) + 0.5) / (y1 - y0) * 2 - 1
    return Mask.encode(y[:, None] ** 2 + x**2 <= 1, x=x0, y=y0)
