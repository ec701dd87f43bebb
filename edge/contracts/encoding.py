"""Result records as bytes: JSON in UTF-8."""

from typing import TypeVar

import msgspec

from edge.errors import RecordError

CONTENT_TYPE = "application/json"

Record = TypeVar("Record", bound=msgspec.Struct)

_ENCODER = msgspec.json.Encoder()


def encode_record(record: msgspec.Struct) -> bytes:
    """Encode a defect or an inspection."""
    return _ENCODER.encode(record)


def decode_record(value: bytes | None, record_type: type[Record]) -> Record:
    """Decode a defect or an inspection; fields that this version does not know are passed over.

    Raises:
        RecordError: the value is not such a record; the message names the place.
    """
    if value is None:
        raise RecordError(f"not {_named(record_type)}: the value is empty")
    try:
        return msgspec.json.decode(value, type=record_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not {_named(record_type)}: {error}") from None


def _named(record_type: type[msgspec.Struct]) -> str:
    name = record_type.__name__
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
