import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.contracts import FrameMetadata
from edge.contracts.cloudevents import (
    FIELD_OF_HEADER,
    HEADER_OF_FIELD,
    decode_headers,
    encode_headers,
    traceparent_of,
)
from edge.contracts.frame import LARGEST_PITCH_MM, LARGEST_POSITION_MM, FrameHeaders
from edge.errors import HeaderError

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=200)
positions = st.floats(-LARGEST_POSITION_MM, LARGEST_POSITION_MM)
pitches = st.floats(0, LARGEST_PITCH_MM, exclude_min=True)
counts = st.integers(0, 2**63 - 1)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 3), datetime(9999, 12, 29), timezones=zones)  # noqa: DTZ001 - they get one
optional_fields = {
    "coil": names,
    "width_px": st.integers(1, 2**31 - 1),
    "height_px": st.integers(1, 2**31 - 1),
    "traceparent": names,
}
frames = st.builds(
    FrameMetadata,
    line=names,
    camera=names,
    side=st.sampled_from(["top", "bottom"]),
    sequence=counts,
    position_mm=positions,
    offset_mm=positions,
    pitch_x_mm=pitches,
    pitch_y_mm=pitches,
    captured_at=times,
    content_type=names,
    **{name: st.none() | values for name, values in optional_fields.items()},
)
EXAMPLE = FrameMetadata(
    line="line 1/ü",
    camera="cam1",
    side="top",
    sequence=42,
    position_mm=5376.0,
    offset_mm=-1e-7,
    pitch_x_mm=0.5,
    pitch_y_mm=0.25,
    captured_at=datetime(2026, 5, 4, 12, 0, 0, 250_000, tzinfo=UTC),
    content_type="image/jpeg",
    coil="C0815",
)


def refusal(header: str, value: bytes) -> str:
    with pytest.raises(HeaderError) as raised:
        decode_headers([(header, value)])
    return str(raised.value)


@given(frames)
def test_headers_read_back_as_they_were_written(metadata: FrameMetadata) -> None:
    """Whatever a camera may say about a frame arrives unchanged."""
    headers = decode_headers(encode_headers(metadata))
    assert msgspec.structs.asdict(headers) == msgspec.structs.asdict(metadata)


@given(st.sampled_from(sorted(FIELD_OF_HEADER)), st.binary() | st.text().map(str.encode))
@example("ce_sequence", b"9" * 5000)
@example("ce_positionmm", b"1e400")
@example("ce_time", b"0001-01-01T00:00:00+23:59")
@example("ce_time", b"9999-12-31T23:59:59-12:00")
def test_any_bytes_are_a_header_or_a_header_error(header: str, value: bytes) -> None:
    """No bytes of a camera can crash the decoder."""
    with contextlib.suppress(HeaderError):
        decode_headers([(header, value)])


@given(st.lists(st.tuples(st.text() | st.sampled_from(sorted(FIELD_OF_HEADER)), st.none() | st.binary())))
def test_any_headers_are_headers_or_a_header_error(headers: list[tuple[str, bytes | None]]) -> None:
    """Headers of other people, without a value, or given twice are no trouble."""
    with contextlib.suppress(HeaderError):
        decode_headers(headers)


def test_header_names_are_those_of_cloudevents() -> None:
    """Extension attributes have lower-case letters and digits only."""
    assert HEADER_OF_FIELD["position_mm"] == "ce_positionmm"
    assert HEADER_OF_FIELD["captured_at"] == "ce_time"
    assert HEADER_OF_FIELD["content_type"] == "content-type"
    attributes = [header.removeprefix("ce_") for header in FIELD_OF_HEADER if header != "content-type"]
    assert all(attribute.isalnum() and attribute.islower() for attribute in attributes)
    assert len(FIELD_OF_HEADER) == len(HEADER_OF_FIELD) == len(FrameHeaders.__struct_fields__)


def test_required_attributes_of_cloudevents_are_there() -> None:
    """Any CloudEvents reader understands the frame; the source is a URI."""
    headers = dict(encode_headers(EXAMPLE))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"stripsight.frame.v1"
    assert headers["ce_source"] == b"/lines/line%201%2F%C3%BC/cameras/cam1"
    assert headers["ce_id"] == b"cam1-1777896000.250000-42"


def test_what_is_not_known_is_not_sent() -> None:
    """An absent field has no header."""
    assert "ce_widthpx" not in dict(encode_headers(EXAMPLE))


def test_no_headers_are_valid() -> None:
    """A camera may say nothing at all."""
    assert decode_headers([]) == FrameHeaders()


def test_foreign_headers_and_empty_ones_are_passed_over() -> None:
    """Only our headers count, and a null is as good as absent."""
    assert decode_headers([("x-other", b"\xff"), ("ce_sequence", None), ("CE_LINE", b"x")]) == FrameHeaders()


def test_our_trace_context_counts_before_that_of_a_kafka_client() -> None:
    """A client's ``traceparent`` counts where ours is missing or empty, and nowhere else."""
    ours, theirs = ("ce_traceparent", b"ours"), ("traceparent", b"theirs")
    assert traceparent_of([ours, theirs]) == traceparent_of([theirs, ours]) == "ours"
    assert traceparent_of([theirs, ("ce_traceparent", b"")]) == traceparent_of([theirs]) == "theirs"
    assert traceparent_of([("ce_coil", b"C-1"), ("traceparent", None)]) is None


def test_repeated_header_counts_last() -> None:
    """Kafka allows a header twice; what was appended later is the truth."""
    assert decode_headers([("ce_coil", b"a"), ("ce_coil", b"b")]).coil == "b"


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        ("ce_sequence", b"twelve", "header ce_sequence: 'twelve' is not allowed: Expected `int`, got `str`"),
        ("ce_sequence", b"-1", "Expected `int` >= 0"),
        ("ce_sequence", b"9223372036854775808", "Expected `int` <= 9223372036854775807"),
        ("ce_positionmm", b"nan", "is not allowed"),
        ("ce_positionmm", b"inf", "is not allowed"),
        ("ce_positionmm", b"1e300", "Expected `float` <= 1000000000000.0"),
        ("ce_pitchxmm", b"0", "Expected `float` > 0.0"),
        ("ce_pitchymm", b"1e4", "Expected `float` <= 1000.0"),
        ("ce_widthpx", b"0", "Expected `int` >= 1"),
        ("ce_side", b"left", "Invalid enum value 'left'"),
        ("ce_line", b"", "Expected `str` of length >= 1"),
        ("ce_camera", b"x" * 201, "xxx'... is not allowed: Expected `str` of length <= 200"),
        ("ce_coil", b"\xff", r"'\xff' is not allowed: 'utf-8' codec can't decode"),
        ("ce_time", b"2026-05-04T12:00:00", "Expected `datetime` with a timezone"),
        ("ce_time", b"1777896000", "Invalid RFC3339 encoded datetime"),
        ("ce_time", b"yesterday", "Invalid RFC3339 encoded datetime"),
        ("ce_time", b"1970-01-01T23:59:59Z", "is not from 1970-01-02 to 9999-12-30"),
        ("ce_time", b"0001-01-01T00:00:00+14:00", "is not from 1970-01-02 to 9999-12-30"),
        ("ce_time", b"9999-12-31T23:59:59-12:00", "is not from 1970-01-02 to 9999-12-30"),
        ("ce_camera", b"\x1b[31mEVIL", r"'\x1b[31mEVIL' is not allowed: Expected `str` matching regex"),
        ("ce_coil", b"C1\n", r"'C1\n' is not allowed"),
        ("ce_line", b"\xc2\x9b31m", r"'\xc2\x9b31m' is not allowed"),
    ],
)
def test_wrong_header_is_named_with_its_value_and_what_is_allowed(
    header: str, value: bytes, said: str
) -> None:
    """The dead letter of a frame with a bad header tells its owner what to mend."""
    message = refusal(header, value)
    assert message.startswith(f"header {header}: ")
    assert said in message


def test_times_are_told_in_utc() -> None:
    """Whatever zone a camera lives in, nobody behind it has to mind."""
    captured_at = decode_headers([("ce_time", b"2026-05-04T12:00:00+02:00")]).captured_at
    assert captured_at is not None
    assert captured_at.isoformat() == "2026-05-04T10:00:00+00:00"


def test_long_values_are_cut() -> None:
    """A megabyte in a header does not flood the log."""
    assert len(refusal("ce_line", b"x" * 2**20)) < 250


@given(frames, st.data())
def test_numbers_stay_within_what_json_can_tell(metadata: FrameMetadata, data: Any) -> None:
    """No frame that is let in can lie where its millimetres overflow."""
    pixels = data.draw(st.integers(0, 2**31 - 1))
    for start, pitch in (
        (metadata.position_mm, metadata.pitch_y_mm),
        (metadata.offset_mm, metadata.pitch_x_mm),
    ):
        assert abs(start + pixels * pitch) < 1e16
