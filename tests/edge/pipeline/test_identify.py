"""From a record to a frame whose place on the strip is known."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge.contracts import FrameMetadata, FrameOrigin, RawFrame
from edge.contracts.cloudevents import encode_headers
from edge.contracts.encoding import decode_record, encode_record
from edge.contracts.results import FrameReference
from edge.errors import (
    ContentTypeError,
    EmptyFrameError,
    HeaderError,
    UnknownCameraError,
    UnreadableRecordError,
)
from edge.pipeline.decode import decode_image
from edge.pipeline.identify import Identifier
from edge.settings import CameraSettings

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PNG_32_ROWS = cv2.imencode(".png", np.zeros((32, 64), np.uint8))[1].tobytes()
CAMERAS = {"cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.25, side="bottom", offset_mm=800)}


def raw_frame(
    *,
    topic: str = "frames.cam1",
    offset: int = 7,
    key: bytes | None = b"cam1",
    headers: tuple[tuple[str, bytes], ...] = (),
    value: bytes | None = PNG_32_ROWS,
    timestamp_ms: int = int(NOON.timestamp() * 1000),
) -> RawFrame:
    """A record of a frame topic."""
    return RawFrame(FrameOrigin(topic, 0, offset), timestamp_ms, key, headers, value)


def test_headers_win_over_settings() -> None:
    """What a camera says about its frame counts, to the last field."""
    said = FrameMetadata(
        line="line-9",
        camera="cam1",
        coil="C-1",
        side="top",
        sequence=3,
        position_mm=1234.5,
        offset_mm=10.0,
        pitch_x_mm=0.1,
        pitch_y_mm=0.2,
        captured_at=NOON,
        content_type="image/png",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    frame = Identifier("line-1", CAMERAS).identify(raw_frame(headers=encode_headers(said)))
    assert frame.metadata == said


def test_a_record_without_headers_is_a_frame() -> None:
    """Settings, key, time stamp and bytes tell everything that the headers did not."""
    frame = Identifier("line-1", CAMERAS).identify(raw_frame())
    assert frame.metadata == FrameMetadata(
        line="line-1",
        camera="cam1",
        side="bottom",
        sequence=7,
        position_mm=7 * 32 * 0.25,
        offset_mm=800,
        pitch_x_mm=0.5,
        pitch_y_mm=0.25,
        captured_at=NOON,
        content_type="image/png",
    )


def test_bytes_that_nobody_named_are_told_as_such() -> None:
    """The operator reads what the frame begins with, and not a content type that nobody gave it."""
    frame = Identifier("line-1", CAMERAS).identify(raw_frame(value=b"garbage, no image"))
    assert frame.metadata.content_type == "application/octet-stream"
    with pytest.raises(ContentTypeError, match=r"no content type, and b'garbage,' begins neither"):
        decode_image(frame.value, frame.metadata.content_type, max_pixels=10**6)


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
def test_without_a_readable_key_the_topic_names_the_camera(key: bytes | None) -> None:
    """frames.cam1 is camera cam1."""
    assert Identifier("line-1", CAMERAS).identify(raw_frame(key=key)).metadata.camera == "cam1"


@pytest.mark.parametrize(("topic", "key"), [("frames." + 240 * "x", None), ("frames.cam1", 300 * b"x")])
def test_a_name_is_as_long_as_records_allow(topic: str, key: bytes | None) -> None:
    """A topic or a key that is longer gives a camera that every reader of inspections takes."""
    reference = Identifier("line-1", CAMERAS).reference(raw_frame(topic=topic, key=key))
    assert decode_record(encode_record(reference), FrameReference).camera == 200 * "x"


def test_an_unknown_camera_is_told_what_it_lacks() -> None:
    """Millimetres are never guessed: the message names the camera, the headers and the settings."""
    with pytest.raises(UnknownCameraError, match=r"'cam2'.*ce_pitchxmm.*cameras\.cam2\.pitch_x_mm"):
        Identifier("line-1", CAMERAS).identify(raw_frame(key=b"cam2"))


def test_a_camera_needs_no_settings_when_its_headers_tell_the_pitch() -> None:
    """A new camera that describes itself is inspected at once."""
    headers = (("ce_pitchxmm", b"0.5"), ("ce_pitchymm", b"0.5"))
    frame = Identifier("line-1", {}).identify(raw_frame(key=b"cam2", headers=headers))
    assert frame.metadata.camera == "cam2"


def test_a_bad_header_is_named() -> None:
    """One wrong header fails the frame with the header's name."""
    with pytest.raises(HeaderError, match="ce_sequence"):
        Identifier("line-1", CAMERAS).identify(raw_frame(headers=(("ce_sequence", b"-4"),)))


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_value_is_an_empty_frame(value: bytes | None) -> None:
    """A tombstone is no frame."""
    with pytest.raises(EmptyFrameError):
        Identifier("line-1", CAMERAS).identify(raw_frame(value=value))


def test_a_record_that_could_not_be_read_has_a_reason_of_its_own() -> None:
    """It is not an empty frame: its bytes were there, and the error says what was wrong with them."""
    raw = RawFrame(FrameOrigin("frames.cam1", 0, 7), 0, None, (), None, error="Invalid CRC")
    with pytest.raises(UnreadableRecordError, match="Invalid CRC") as raised:
        Identifier("line-1", CAMERAS).identify(raw)
    assert raised.value.reason == "unreadable_record"


def test_a_frame_that_cannot_be_identified_is_still_referred_to() -> None:
    """Its inspection record says where it lay and which camera it was, as far as that is known."""
    reference = Identifier("line-1", CAMERAS).reference(raw_frame(headers=(("ce_sequence", b"x"),)))
    assert (reference.id, reference.camera, reference.line) == ("frames.cam1:0:7", "cam1", "line-1")
    assert (reference.sequence, reference.captured_at) == (None, NOON)


@pytest.mark.parametrize("timestamp_ms", [-(2**63), -1, 0, 2**60, 2**63 - 1])
def test_any_time_stamp_of_kafka_is_survived(timestamp_ms: int) -> None:
    """A record without a time stamp, or with one beyond all calendars, is taken as captured now."""
    before = datetime.now(UTC)
    raw = raw_frame(timestamp_ms=timestamp_ms)
    assert Identifier("line-1", CAMERAS).identify(raw).metadata.captured_at >= before
    assert Identifier("line-1", CAMERAS).reference(raw).captured_at >= before
