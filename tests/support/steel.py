"""Frames as cameras send them: 1600 x 256 grey pixels of synthetic steel in a JPEG of about 66 kB."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import cv2
import numpy as np

from edge.bus.publisher import Record
from edge.contracts import FrameMetadata
from edge.contracts.cloudevents import encode_headers

WIDTH_PX, HEIGHT_PX = 1600, 256
FRAME_MM = HEIGHT_PX * 0.5
_PICTURES = 8
_QUALITY = 88


@cache
def pictures() -> Sequence[bytes]:
    """A few encoded pictures, no two alike."""
    return [_picture(number) for number in range(_PICTURES)]


def _picture(number: int) -> bytes:
    """Lit in the middle, cloudy, and rough: what JPEG makes of it is as large as of real steel."""
    random = np.random.default_rng(number)
    light = 130 + 25 * (1 - np.linspace(-1, 1, WIDTH_PX) ** 2)
    clouds = cv2.GaussianBlur(random.normal(0, 30, (HEIGHT_PX, WIDTH_PX)), (0, 0), 12)
    pixels = np.clip(light + clouds + random.normal(0, 4, (HEIGHT_PX, WIDTH_PX)), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def steel_frames(topic: str, count: int, *, start: int = 0, age_s: float = 0.0) -> Iterator[Record]:
    """Yield the frames of a camera, taken ``age_s`` ago, as it publishes them: one behind the other."""
    captured_at = datetime.now(UTC) - timedelta(seconds=age_s)
    for sequence in range(start, start + count):
        metadata = FrameMetadata(
            line="line-1",
            camera=topic,
            coil="C-1",
            side="top",
            sequence=sequence,
            position_mm=sequence * FRAME_MM,
            offset_mm=0.0,
            pitch_x_mm=0.5,
            pitch_y_mm=0.5,
            captured_at=captured_at,
            content_type="image/jpeg",
        )
        value = pictures()[sequence % _PICTURES]
        yield Record(topic, value=value, key=topic.encode(), headers=encode_headers(metadata))
