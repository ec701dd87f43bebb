"""The synthetic strip as a camera sees it, with the truth at hand."""

import asyncio
import itertools
from collections.abc import AsyncGenerator

import cv2
import numpy as np
import numpy.typing as npt

from edge.contracts.image_header import JPEG
from edge.training.synthetic import GroundTruth, SyntheticStrip
from producers.source import CameraImage

# Severstal's own frames are of about this quality; much less, and faint defects drown in blocks.
JPEG_QUALITY = 90


class SyntheticSource:
    """An endless source: the frames of a strip as grey JPEG images, drawn in a thread of their own."""

    def __init__(self, strip: SyntheticStrip) -> None:
        self._strip = strip

    async def __aiter__(self) -> AsyncGenerator[CameraImage, None]:
        """Yield frame 0, 1, 2 ... of the strip."""
        for index in itertools.count():
            yield await asyncio.to_thread(self._take, index)

    def ground_truth(self, index: int) -> tuple[GroundTruth, ...]:
        """Return the defects on frame ``index``, which is also its sequence number.

        The frame is drawn anew for it, in tens of milliseconds.
        """
        return self._strip.frame(index).defects

    def _take(self, index: int) -> CameraImage:
        image = self._strip.frame(index).image
        height, width = image.shape
        return CameraImage(encode_grey_jpeg(image), JPEG, width, height)


def encode_grey_jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    """Encode a (H, W) image as a camera does."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
