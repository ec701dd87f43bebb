import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from edge.bus import dead_letters
from edge.contracts import (
    Box,
    Defect,
    FrameMetadata,
    FrameOrigin,
    FrameReference,
    Inspection,
    Mask,
    ModelReference,
    RawFrame,
    StageTimes,
)
from edge.contracts.cloudevents import encode_headers
from edge.contracts.encoding import encode_record
from edge.contracts.frame import Headers
from edge.contracts.results import defect_id
from edge.contracts.schema import FOLDER, as_text, documents, write
from edge.errors import CorruptImageError
from edge.settings import KafkaSettings

ORIGIN = FrameOrigin("frames.cam1", 0, 42)
METADATA = FrameMetadata(
    line="line-1",
    camera="cam1",
    side="top",
    sequence=42,
    position_mm=5376.0,
    offset_mm=-1e-7,
    pitch_x_mm=0.5,
    pitch_y_mm=1e-5,
    captured_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    content_type="image/x-mono8",
    coil="C0815",
    width_px=1600,
    height_px=256,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
FRAME = FrameReference.of(ORIGIN, METADATA)
MODEL = ModelReference("severstal", "1a2b3c4d5e6f")
BOX = Box(0.0, 1.5, 2.0, 3.0)
DEFECT = Defect(
    id=defect_id(ORIGIN.id, 0),
    frame=FRAME,
    index=0,
    class_id=2,
    class_name="defect_3",
    score=0.93,
    box_px=BOX,
    box_mm=BOX,
    area_px=3,
    area_mm2=1.5,
    model=MODEL,
    mask=Mask.encode(np.eye(3, dtype=bool), x=801, y=12),
)
INSPECTED = Inspection(
    id=ORIGIN.id,
    frame=FRAME,
    outcome="inspected",
    inspected_at=METADATA.captured_at,
    times=StageTimes(age_ms=8.0, batch=4),
    defects=1,
    width_px=1600,
    height_px=256,
    strip_mm=BOX,
    model=MODEL,
)
FAILED = Inspection(
    id=ORIGIN.id,
    frame=msgspec.structs.replace(FRAME, coil=None, side=None, sequence=None),
    outcome="failed",
    inspected_at=METADATA.captured_at,
    times=StageTimes(),
    reason="corrupt_image",
    detail="cut short",
)


def schema(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))  # type: ignore[no-any-return] # JSON is Any


def accepts(name: str, instance: Any) -> bool:
    validator = jsonschema.Draft202012Validator(
        schema(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return validator.is_valid(instance)


def texts(headers: Headers) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}


def properties(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from document.get("properties", {}).items()
    for definition in document.get("$defs", {}).values():
        yield from properties(definition)


@pytest.mark.parametrize("name", documents())
def test_files_are_up_to_date(name: str) -> None:
    """Whoever changes a record changes its schema: run `make schemas`."""
    assert schema(name) == documents()[name]


def test_folder_holds_nothing_else() -> None:
    """A schema of a record that is gone would mislead."""
    assert {file.name for file in FOLDER.iterdir()} == set(documents())


def test_written_files_are_the_documents(tmp_path: Any) -> None:
    """The command writes every document, ending with a line break."""
    write(tmp_path)
    for name, document in documents().items():
        assert (tmp_path / name).read_text(encoding="utf-8") == as_text(document)
        assert as_text(document).endswith("}\n")


@pytest.mark.parametrize("name", [name for name in documents() if name.endswith(".schema.json")])
def test_schemas_are_valid_and_named_for_good(name: str) -> None:
    """Each is a draft 2020-12 schema with an id that stays within the major version."""
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:stripsight:schema:{name.removesuffix('.schema.json')}:v1"


@pytest.mark.parametrize("name", [name for name in documents() if name.endswith(".schema.json")])
def test_every_field_is_titled_and_described(name: str) -> None:
    """Who reads the schema alone understands every field."""
    undescribed = [
        field
        for field, node in properties(schema(name))
        if not (node.get("title") and node.get("description"))
    ]
    assert not undescribed


@pytest.mark.parametrize("record", [DEFECT, msgspec.structs.replace(DEFECT, mask=None)])
def test_defects_fit_their_schema(record: Defect) -> None:
    """What the daemon publishes is what it promises."""
    assert accepts("defect.schema.json", json.loads(encode_record(record)))


@pytest.mark.parametrize("record", [INSPECTED, FAILED])
def test_inspections_fit_their_schema(record: Inspection) -> None:
    """Inspected and failed frames' records both are what is promised."""
    assert accepts("inspection.schema.json", json.loads(encode_record(record)))


@pytest.mark.parametrize(
    "change",
    [{"score": 1.5}, {"score": None}, {"index": -1}, {"frame": {}}, {"mask": {"x": 0}}, {"box_mm": None}],
)
def test_schema_refuses_what_is_no_defect(change: dict[str, Any]) -> None:
    """The schema is no rubber stamp."""
    assert not accepts("defect.schema.json", json.loads(encode_record(DEFECT)) | change)


def test_schema_allows_fields_of_a_newer_version() -> None:
    """Validating consumers keep working when a field is added."""
    assert accepts("defect.schema.json", json.loads(encode_record(DEFECT)) | {"new": 1})


def test_frame_headers_fit_their_schema() -> None:
    """All headers that are written are in the schema, which accepts them as text."""
    headers = texts(encode_headers(METADATA))
    assert set(headers) == set(schema("frame-headers.schema.json")["properties"])
    assert accepts("frame-headers.schema.json", headers)


@pytest.mark.parametrize(
    "change", [{"ce_sequence": "twelve"}, {"ce_positionmm": "nan"}, {"ce_side": "left"}, {"ce_line": ""}]
)
def test_schema_refuses_wrong_headers(change: dict[str, str]) -> None:
    """A camera's author can check the headers before publishing."""
    assert not accepts("frame-headers.schema.json", texts(encode_headers(METADATA)) | change)


def test_frame_without_headers_fits() -> None:
    """Every header may be missing."""
    assert accepts("frame-headers.schema.json", {})


def test_dead_letter_headers_fit_their_schema() -> None:
    """The schema names exactly the headers that a dead letter gets."""
    frame = RawFrame(ORIGIN, timestamp_ms=1, key=None, headers=(), value=None)
    letter = dead_letters.dead_letter("frames.dead-letter", frame, CorruptImageError("cut short"))
    headers = texts(letter.headers)
    assert set(headers) == set(schema("dead-letter-headers.schema.json")["required"])
    assert accepts("dead-letter-headers.schema.json", headers)
    assert letter.substitute is not None
    bare = {name: value.decode() for name, value in letter.substitute("too large").headers}
    assert set(bare) == set(schema("dead-letter-headers.schema.json")["properties"])
    assert accepts("dead-letter-headers.schema.json", bare)


def test_asyncapi_names_the_default_topics() -> None:
    """The description speaks of the topics that the settings default to."""
    kafka = KafkaSettings()
    addresses = [channel["address"] for channel in schema("asyncapi.json")["channels"].values()]
    assert addresses == [
        "frames.{camera}",
        kafka.inspections_topic,
        kafka.defects_topic,
        kafka.dead_letter_topic,
    ]


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    """References within the document and to the files beside it can be followed."""
    document = schema("asyncapi.json")
    for reference in references(document):
        file, _, pointer = reference.partition("#")
        node = schema(file) if file else document
        for part in pointer.split("/")[1:]:
            node = node[part]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
