"""Frame metadata in Kafka headers, in the CloudEvents binary content mode.

Specification: CloudEvents 1.0.2, Kafka protocol binding, section 3.2. Attributes are headers with the
prefix ``ce_``; extension attributes have lower-case letters and digits only, hence ``ce_positionmm``.
"""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from edge.contracts.frame import EARLIEST_TIME, LATEST_TIME, FrameHeaders, FrameMetadata, Headers
from edge.errors import HeaderError

SPEC_VERSION = "1.0"
FRAME_TYPE = "stripsight.frame.v1"

HEADER_OF_FIELD = {
    "captured_at": "ce_time",
    "content_type": "content-type",
} | {
    name: "ce_" + name.replace("_", "")
    for name in FrameHeaders.__struct_fields__
    if name not in ("captured_at", "content_type")
}
FIELD_OF_HEADER = {header: field for field, header in HEADER_OF_FIELD.items()}

_SHOWN_CHARACTERS = 80
_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def encode_headers(metadata: FrameMetadata) -> Headers:
    """Return the headers under which a frame with this metadata is published."""
    source = f"/lines/{quote(metadata.line, safe='')}/cameras/{quote(metadata.camera, safe='')}"
    headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_type", FRAME_TYPE),
        ("ce_source", source),
        ("ce_id", f"{metadata.camera}-{metadata.captured_at.timestamp():.6f}-{metadata.sequence}"),
    ]
    fields = msgspec.to_builtins(metadata)
    headers += [
        (header, str(fields[field]))
        for field, header in HEADER_OF_FIELD.items()
        if fields.get(field) is not None
    ]
    return tuple((name, value.encode()) for name, value in headers)


def decode_headers(headers: Iterable[tuple[str, bytes | None]]) -> FrameHeaders:
    """Read what the camera said; headers that are not ours are left alone, a repeated one counts last.

    Times are returned in UTC.

    Raises:
        HeaderError: a header of ours holds what its field does not allow; the message names it.
    """
    fields: dict[str, Any] = {}
    for name, value in headers:
        field = FIELD_OF_HEADER.get(name)
        if field is not None and value is not None:
            fields[field] = _decode_value(name, field, value)
    return FrameHeaders(**fields)


def traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return the trace context, whatever the other headers are; the last one counts.

    Where there is none of ours, the ``traceparent`` counts that OpenTelemetry's Kafka clients write.
    """
    given = {name: value for name, value in headers if value and name.endswith("traceparent")}
    value = given.get(HEADER_OF_FIELD["traceparent"]) or given.get("traceparent")
    return None if value is None else value.decode(errors="replace")


def _decode_value(name: str, field: str, value: bytes) -> Any:
    try:
        # Not strict, numbers are read from text; but so would be times, from a number without a unit.
        given = {_VALUE: value.decode()}
        decoded = msgspec.convert(given, _READER_OF_FIELD[field], strict=field == "captured_at").value
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        reason = str(error).removesuffix(f" - at `$.{_VALUE}`")
        raise HeaderError(f"header {name}: {_shown(value)} is not allowed: {reason}") from None
    if isinstance(decoded, float) and not _is_plain_number(value):
        raise HeaderError(f"header {name}: {_shown(value)} is not a finite decimal number")
    return _in_utc(name, decoded, value) if isinstance(decoded, datetime) else decoded


def _in_utc(name: str, moment: datetime, value: bytes) -> datetime:
    if not EARLIEST_TIME <= moment <= LATEST_TIME:
        raise HeaderError(
            f"header {name}: {_shown(value)} is not from {EARLIEST_TIME:%Y-%m-%d} to {LATEST_TIME:%Y-%m-%d}"
        )
    return moment.astimezone(UTC)


def _is_plain_number(value: bytes) -> bool:
    return bool(_DECIMAL.fullmatch(value.decode())) and math.isfinite(float(value))


def _shown(value: bytes) -> str:
    return repr(value[:_SHOWN_CHARACTERS])[1:] + ("..." if len(value) > _SHOWN_CHARACTERS else "")


def _without_none(annotation: Any) -> Any:
    return next(part for part in annotation.__args__ if part is not type(None))


# msgspec remembers how to read a struct; an annotated type by itself it takes apart anew for each value.
_VALUE = "value"
_READER_OF_FIELD: dict[str, Any] = {
    field.name: msgspec.defstruct(f"Given_{field.name}", [(_VALUE, _without_none(field.type))])
    for field in msgspec.structs.fields(FrameHeaders)
}
