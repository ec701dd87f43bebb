"""A camera frame, as it lies on its topic and as the pipeline knows it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

Headers = tuple[tuple[str, bytes], ...]
Side = Literal["top", "bottom"]

# Far beyond any mill, and small enough that no product of them overflows: JSON has no infinity, and one such
# frame would yield records that nobody can read.
LARGEST_POSITION_MM = 1e12
LARGEST_PITCH_MM = 1000.0

# A day within what calendars can tell: a time that is let in can be shown in any time zone.
EARLIEST_TIME = datetime(1970, 1, 2, tzinfo=UTC)
LATEST_TIME = datetime(9999, 12, 30, tzinfo=UTC)

# Names are shown on terminals, which take control characters (C0, DEL and C1) for commands. ECMA and Python
# read this pattern alike; with a `$` Python would let a line feed at the end pass.
_NO_CONTROL_CHARACTERS = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f])"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NO_CONTROL_CHARACTERS)]
Millimetres = Annotated[float, msgspec.Meta(ge=-LARGEST_POSITION_MM, le=LARGEST_POSITION_MM)]
Pitch = Annotated[float, msgspec.Meta(gt=0, le=LARGEST_PITCH_MM)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
PixelCount = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


class FrameOrigin(msgspec.Struct, frozen=True):
    """Where a frame lies in Kafka. Its ``id`` names the frame, and is the same however often it is read."""

    topic: str
    partition: Count
    offset: Count

    @property
    def id(self) -> str:
        """``topic:partition:offset``; unambiguous, since Kafka allows no colon in a topic's name."""
        return f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A record of a frame topic, nothing decoded yet.

    ``error`` tells why the record could not be read; then key, headers and value are not there.
    """

    origin: FrameOrigin
    timestamp_ms: int
    key: bytes | None
    headers: Headers
    value: bytes | None
    error: str | None = None


class FrameHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """What a camera said about a frame in its headers; anything may be missing."""

    line: Name | None = None
    """Rolling line that the camera watches."""
    camera: Name | None = None
    """Id of the camera."""
    coil: Name | None = None
    """Id of the coil that the strip belongs to."""
    side: Side | None = None
    """Side of the strip that the camera sees."""
    sequence: Count | None = None
    """Number of the frame, counted by its camera."""
    position_mm: Millimetres | None = None
    """Position of the frame's first row along the coil (y), in mm."""
    offset_mm: Millimetres | None = None
    """Offset of the frame's first column across the strip (x), in mm from the operator-side edge."""
    pitch_x_mm: Pitch | None = None
    """Millimetres of strip a pixel, across the strip."""
    pitch_y_mm: Pitch | None = None
    """Millimetres of strip a pixel, along the coil."""
    width_px: PixelCount | None = None
    """Width of a raw image; an encoded one carries its own size."""
    height_px: PixelCount | None = None
    """Height of a raw image; an encoded one carries its own size."""
    captured_at: Timestamp | None = None
    """When the frame was taken, RFC 3339 with a time zone, from 1970-01-02 to 9999-12-30 in UTC."""
    content_type: Name | None = None
    """Media type of the image."""
    traceparent: Name | None = None
    """W3C trace context."""


class FrameMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a frame, the gaps in its headers filled from the camera's settings.

    ``width_px`` and ``height_px`` are given for raw images only; encoded ones carry their own size.
    """

    line: Name
    camera: Name
    side: Side
    sequence: Count
    position_mm: Millimetres
    offset_mm: Millimetres
    pitch_x_mm: Pitch
    pitch_y_mm: Pitch
    captured_at: Timestamp
    content_type: Name
    """Media type of the image; ``application/octet-stream`` where neither sender nor bytes told."""
    coil: Name | None = None
    width_px: PixelCount | None = None
    height_px: PixelCount | None = None
    traceparent: Name | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that can be inspected: where it came from, what it shows, and its encoded image."""

    origin: FrameOrigin
    metadata: FrameMetadata
    value: bytes
