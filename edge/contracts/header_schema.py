"""JSON Schema of Kafka headers: an object with a text by header name, each header's bytes read as UTF-8."""

import msgspec

from edge.contracts.cloudevents import FRAME_TYPE, HEADER_OF_FIELD, SPEC_VERSION
from edge.contracts.frame import FrameHeaders
from edge.contracts.record_schema import Schema, field_descriptions, identity, title

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"

_DESCRIPTION = (
    "What a camera says about a frame: CloudEvents 1.0 in Kafka's binary mode. "
    "Each value is UTF-8 text, numbers and times too. What is missing comes from the camera's settings."
)

_EVENT_HEADERS: dict[str, Schema] = {
    "ce_specversion": {
        "title": "CloudEvents version",
        "description": "Version of the CloudEvents specification.",
        "const": SPEC_VERSION,
    },
    "ce_type": {"title": "Event type", "description": "What the record is.", "const": FRAME_TYPE},
    "ce_source": {
        "title": "Event source",
        "description": "The camera, as `/lines/<line>/cameras/<camera>`.",
        "format": "uri-reference",
    },
    "ce_id": {"title": "Event id", "description": "Unique within its source.", "minLength": 1},
}

_DEAD_LETTER_HEADERS = {
    "stripsight-origin-topic": "Topic that the frame lay on.",
    "stripsight-origin-partition": "Partition that the frame lay in, a number.",
    "stripsight-origin-offset": "Offset of the frame, a number.",
    "stripsight-origin-timestamp-ms": "Time stamp of the frame's record, in milliseconds since 1970.",
    "stripsight-reason": "What was wrong, one of a few words; the same as in the inspection record.",
    "stripsight-error": "What was wrong, for people.",
}

_BARE_DEAD_LETTER_HEADERS = {
    "stripsight-omitted": "Only where the broker refused the whole dead letter: what was left out, and why.",
}


def frame_headers_schema() -> Schema:
    """Return the schema of a frame's headers. None is required, and others may be there."""
    _, definitions = msgspec.json.schema_components([FrameHeaders])
    nodes = definitions["FrameHeaders"]["properties"]
    texts = field_descriptions(FrameHeaders)
    own = {
        header: {"title": title(field), "description": texts[field]} | _as_text(nodes[field])
        for field, header in HEADER_OF_FIELD.items()
    }
    events = {name: {"type": "string"} | node for name, node in _EVENT_HEADERS.items()}
    return identity("frame-headers") | {
        "title": "Frame headers",
        "description": _DESCRIPTION,
        "type": "object",
        "properties": events | own,
    }


def dead_letter_headers_schema() -> Schema:
    """Return the schema of the headers that a dead letter carries beside the frame's own."""
    return identity("dead-letter-headers") | {
        "title": "Dead letter headers",
        "description": "The frame's own headers, untouched, and these. Each value is UTF-8 text. "
        "With `stripsight-omitted` there, value and headers of the frame are not.",
        "type": "object",
        "properties": {
            name: {
                "title": name.removeprefix("stripsight-").replace("-", " ").capitalize(),
                "description": text,
                "type": "string",
            }
            for name, text in (_DEAD_LETTER_HEADERS | _BARE_DEAD_LETTER_HEADERS).items()
        },
        "required": list(_DEAD_LETTER_HEADERS),
    }


def _as_text(node: Schema) -> Schema:
    """Return the schema of a field's value as text: a number is told by the JSON that the text holds."""
    value: Schema = next(branch for branch in node["anyOf"] if branch.get("type") != "null")
    if value.get("type") in ("integer", "number"):
        return {
            "type": "string",
            "pattern": _NUMBER,
            "contentMediaType": "application/json",
            "contentSchema": value,
        }
    return {"type": "string"} | value
