"""A camera frame, as it lies on its topic and as the pipeline knows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

Headers = tuple[tuple[str, bytes], ...]
Side = Literal["top", "bottom"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Millimetres = float
Pitch = Annotated[float, msgspec.Meta(gt=0, description="millimetres of strip a pixel")]
Count = Annotated[int, msgspec.Meta(ge=0)]
PixelCount = Annotated[int, msgspec.Meta(ge=1)]
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
    """A record of a frame topic, nothing decoded yet."""

    origin: FrameOrigin
    timestamp_ms: int
    key: bytes | None
    headers: Headers
    value: bytes | None


class FrameHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """What a camera said about a frame in its headers; anything may be missing.

    Positions are those of the frame's first pixel: ``position_mm`` of its first row along the coil (y),
    ``offset_mm`` of its first column across the strip from the operator-side edge (x).
    """

    line: Name | None = None
    camera: Name | None = None
    coil: Name | None = None
    side: Side | None = None
    sequence: Count | None = None
    position_mm: Millimetres | None = None
    offset_mm: Millimetres | None = None
    pitch_x_mm: Pitch | None = None
    pitch_y_mm: Pitch | None = None
    width_px: PixelCount | None = None
    height_px: PixelCount | None = None
    captured_at: Timestamp | None = None
    content_type: Name | None = None
    traceparent: Name | None = None


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
