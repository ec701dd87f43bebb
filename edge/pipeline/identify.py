"""From a raw record to a frame whose place on the strip is known."""

from collections.abc import Mapping
from datetime import UTC, datetime

from edge.contracts.cloudevents import decode_headers, traceparent_of
from edge.contracts.frame import Frame, FrameHeaders, FrameMetadata, RawFrame
from edge.contracts.image_header import UNKNOWN, read_image_header, sniff
from edge.contracts.results import FrameReference
from edge.errors import EmptyFrameError, UnknownCameraError, UnreadableRecordError
from edge.settings import CameraSettings
from edge.vision.strip_edges import Seen

_UNCONFIGURED = CameraSettings()
_LONGEST_NAME = 200  # of a camera in records; a key may be longer, and so may a topic
_LATEST_MS = datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000


class Identifier:
    """Fills what a frame's headers leave open from the settings of its camera."""

    def __init__(self, line: str, cameras: Mapping[str, CameraSettings]) -> None:
        self._line = line
        self._cameras = cameras

    def identify(self, raw: RawFrame) -> Frame:
        """Return the frame with complete metadata.

        Raises:
            UnreadableRecordError: the record could not be read.
            EmptyFrameError: the record has no value.
            HeaderError: a header holds what its field does not allow.
            UnknownCameraError: neither headers nor settings tell the pixel pitch.
        """
        if raw.error is not None:
            raise UnreadableRecordError(raw.error)
        if not raw.value:
            raise EmptyFrameError("the frame has no bytes")
        headers = decode_headers(raw.headers)
        camera = headers.camera or _camera_of(raw)
        settings = self._cameras.get(camera, _UNCONFIGURED)
        pitch_x = headers.pitch_x_mm or settings.pitch_x_mm
        pitch_y = headers.pitch_y_mm or settings.pitch_y_mm
        if pitch_x is None or pitch_y is None:
            raise UnknownCameraError(
                f"camera {camera!r}: neither the headers ce_pitchxmm and ce_pitchymm "
                f"nor the settings cameras.{camera}.pitch_x_mm and pitch_y_mm tell the size of a pixel"
            )
        sequence = raw.origin.offset if headers.sequence is None else headers.sequence
        metadata = FrameMetadata(
            line=headers.line or settings.line or self._line,
            camera=camera,
            coil=headers.coil,
            side=headers.side or settings.side,
            sequence=sequence,
            position_mm=_position(headers, settings, raw.value, sequence, pitch_y),
            offset_mm=settings.offset_mm if headers.offset_mm is None else headers.offset_mm,
            pitch_x_mm=pitch_x,
            pitch_y_mm=pitch_y,
            width_px=headers.width_px or settings.width_px,
            height_px=headers.height_px or settings.height_px,
            captured_at=headers.captured_at or _timestamp(raw),
            content_type=headers.content_type or settings.content_type or sniff(raw.value) or UNKNOWN,
            traceparent=headers.traceparent or traceparent_of(raw.headers),
        )
        return Frame(raw.origin, metadata, raw.value)

    def edges_seen(self, camera: str) -> Seen | None:
        """Return which edges of the strip a camera may see, by its settings; None for none."""
        sides = self._cameras.get(camera, _UNCONFIGURED).find_strip_edges
        return None if sides == "none" else Seen(operator=sides != "drive", drive=sides != "operator")

    def reference(self, raw: RawFrame) -> FrameReference:
        """Refer to a frame of which no more may be known than where it lay."""
        camera = _camera_of(raw)
        settings = self._cameras.get(camera, _UNCONFIGURED)
        return FrameReference(
            id=raw.origin.id,
            topic=raw.origin.topic,
            partition=raw.origin.partition,
            offset=raw.origin.offset,
            line=settings.line or self._line,
            camera=camera,
            captured_at=_timestamp(raw),
        )


def _camera_of(raw: RawFrame) -> str:
    """The key names the camera; without a readable one, the topic's last part does."""
    try:
        named = (raw.key or b"").decode()
    except UnicodeDecodeError:
        named = ""
    usable = named if named.isprintable() else ""
    return (usable or raw.origin.topic.rpartition(".")[2] or raw.origin.topic)[:_LONGEST_NAME]


def _position(
    headers: FrameHeaders, settings: CameraSettings, value: bytes, sequence: int, pitch_y_mm: float
) -> float:
    """Without a position of its own, a frame is taken to follow its predecessors without a gap."""
    if headers.position_mm is not None:
        return headers.position_mm
    encoded = read_image_header(value)
    rows = encoded.height_px if encoded else headers.height_px or settings.height_px or 0
    return sequence * rows * pitch_y_mm


def _timestamp(raw: RawFrame) -> datetime:
    """Kafka's time stamp; a record without a sensible one (-1, or beyond all calendars) came just now."""
    if 0 < raw.timestamp_ms < _LATEST_MS:
        return datetime.fromtimestamp(raw.timestamp_ms / 1000, UTC)
    return datetime.now(UTC)
