import contextlib
import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import Box, Defect, FrameReference, Inspection, Mask, ModelReference, StageTimes
from edge.contracts.encoding import decode_record, encode_record
from edge.errors import RecordError

texts = st.text(st.characters(codec="utf-8"))
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=200)
counts = st.integers(0, 2**63 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0, 1e30)
times = st.datetimes(timezones=st.just(UTC))
boxes = st.builds(Box, numbers, numbers, numbers, numbers)
models = st.builds(ModelReference, texts, texts)
references = st.builds(
    FrameReference,
    id=texts,
    topic=texts,
    partition=counts,
    offset=counts,
    line=names,
    camera=names,
    captured_at=times,
    coil=st.none() | names,
    side=st.sampled_from([None, "top", "bottom"]),
    sequence=st.none() | counts,
)
masks = st.builds(Mask, x=counts, y=counts, width=counts, height=counts, counts=st.lists(counts))
defects = st.builds(
    Defect,
    id=texts,
    frame=references,
    index=counts,
    class_id=counts,
    class_name=texts,
    score=st.floats(0, 1),
    box_px=boxes,
    box_mm=boxes,
    area_px=counts,
    area_mm2=positive,
    model=models,
    mask=st.none() | masks,
)
inspections = st.builds(
    Inspection,
    id=texts,
    frame=references,
    outcome=st.sampled_from(["inspected", "skipped", "failed"]),
    inspected_at=times,
    times=st.builds(
        StageTimes, age_ms=positive, decode_ms=positive, wait_ms=positive, infer_ms=positive, batch=counts
    ),
    defects=counts,
    reason=st.none() | texts,
    detail=st.none() | texts,
    width_px=st.none() | counts,
    height_px=st.none() | counts,
    strip_mm=st.none() | boxes,
    model=st.none() | models,
)
INSPECTION = Inspection(
    id="frames.cam1:0:42",
    frame=FrameReference(
        id="frames.cam1:0:42",
        topic="frames.cam1",
        partition=0,
        offset=42,
        line="line-1",
        camera="cam1",
        captured_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    ),
    outcome="failed",
    inspected_at=datetime(2026, 5, 4, 12, 0, 1, tzinfo=UTC),
    times=StageTimes(),
    reason="corrupt_image",
)


@given(defects | inspections)
def test_records_read_back_as_they_were_written(record: Defect | Inspection) -> None:
    """Nothing is lost on the way through the topic."""
    assert decode_record(encode_record(record), type(record)) == record


def test_fields_of_a_newer_version_are_passed_over() -> None:
    """A consumer keeps reading when the daemon tells more than it did."""
    newer = json.loads(encode_record(INSPECTION)) | {"new": {"deep": [1]}}
    newer["frame"]["newer"] = None
    assert decode_record(json.dumps(newer).encode(), Inspection) == INSPECTION


def test_fields_that_an_older_version_did_not_tell_have_their_defaults() -> None:
    """A consumer reads records from before a field was added."""
    older = json.loads(encode_record(INSPECTION))
    del older["model"], older["strip_mm"], older["frame"]["coil"]
    assert decode_record(json.dumps(older).encode(), Inspection) == INSPECTION


@given(st.none() | st.binary())
def test_any_bytes_are_a_record_or_a_record_error(value: bytes | None) -> None:
    """Nothing that lies on a topic can crash a consumer otherwise."""
    with contextlib.suppress(RecordError):
        decode_record(value, Defect)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not an Inspection: the value is empty"),
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"id": 1}', r"Expected `str`, got `int` - at `\$\.id`"),
        (b'{"id": "\xff"}', "(?i)utf-8"),
        (b'{"unknown": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_record_is_told_with_the_place(value: bytes | None, said: str) -> None:
    """The error tells what was found where."""
    with pytest.raises(RecordError, match=said):
        decode_record(value, Inspection)


def test_times_are_told_in_utc() -> None:
    """Every reader sees at once when it was."""
    assert b'"captured_at":"2026-05-04T12:00:00Z"' in encode_record(INSPECTION)


def test_absent_values_are_null_and_not_missing() -> None:
    """A table made of the records has every column from the first one on."""
    assert set(json.loads(encode_record(INSPECTION))) == set(msgspec.structs.asdict(INSPECTION))
