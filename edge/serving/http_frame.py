"""A frame in an HTTP request: the image is the body, its metadata are headers.

They are the headers that a frame has on Kafka, in the form that CloudEvents 1.0.2 gives them over HTTP (HTTP
protocol binding, section 3.1.3): ``ce-positionmm`` instead of ``ce_positionmm``, values percent-encoded.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from edge.contracts.cloudevents import HEADER_OF_FIELD
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.settings import CameraSettings

CAMERA = "http"
"""Camera of frames that name none."""

# What replayed cameras assume, too (producers.strip): a picture alone tells nothing of its scale.
ASSUMED_PITCH_MM = 0.2

CONTENT_TYPE = HEADER_OF_FIELD["content_type"]
_SEQUENCE = HEADER_OF_FIELD["sequence"]
_KAFKA_NAMES = {name.replace("_", "-"): name for name in HEADER_OF_FIELD.values() if name != CONTENT_TYPE}
HEADER_NAMES = tuple(_KAFKA_NAMES)
"""All that may be said of a frame, the media type of its image apart."""

_OFFSET_BYTES = 8
_MS_PER_S = 1000


def raw_frame(
    image: bytes, headers: Iterable[tuple[str, str]] = (), *, content_type: str | None = None
) -> RawFrame:
    """Return the frame as if it had been read from a topic.

    It lies on none, so its origin is made: topic ``http``, partition 0, and for the offset the first 63 bits
    of the SHA-256 over what was said and the image. So the same frame has the same id however often, and
    wherever, it is inspected. Without a sequence number it is frame 0, and so begins at 0 mm of the coil
    unless it says where.

    Args:
        image: as encoded.
        headers: those of the request; of a repeated one the last counts, and what is not said of a frame is
            passed over.
        content_type: media type of the image, if its sender gave one.
    """
    said = {
        _KAFKA_NAMES[name.lower()]: unquote_to_bytes(value.encode(errors="surrogateescape"))
        for name, value in headers
        if name.lower() in _KAFKA_NAMES
    }
    digest = hashlib.sha256(repr(sorted(said.items())).encode() + image).digest()
    offset = int.from_bytes(digest[:_OFFSET_BYTES], "big") >> 1
    if content_type:
        said[CONTENT_TYPE] = content_type.encode()
    return RawFrame(
        origin=FrameOrigin(CAMERA, 0, offset),
        timestamp_ms=int(time.time() * _MS_PER_S),
        key=CAMERA.encode(),
        headers=tuple(({_SEQUENCE: b"0"} | said).items()),
        value=image,
    )


def with_unnamed_camera(cameras: Mapping[str, CameraSettings]) -> Mapping[str, CameraSettings]:
    """Add the camera of frames that name none, unless the settings know it already."""
    assumed = CameraSettings(pitch_x_mm=ASSUMED_PITCH_MM, pitch_y_mm=ASSUMED_PITCH_MM)
    return {CAMERA: assumed} | dict(cameras)
