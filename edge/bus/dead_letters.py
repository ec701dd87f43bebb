"""Frames that cannot be inspected, set aside as they came."""

from collections.abc import Mapping

from edge.bus.publisher import Record
from edge.contracts.frame import Headers, RawFrame
from edge.errors import FrameError

ORIGIN_TOPIC = "stripsight-origin-topic"
ORIGIN_PARTITION = "stripsight-origin-partition"
ORIGIN_OFFSET = "stripsight-origin-offset"
ORIGIN_TIMESTAMP = "stripsight-origin-timestamp-ms"
REASON = "stripsight-reason"
ERROR = "stripsight-error"

OMITTED = "stripsight-omitted"

_REFUSAL_CHARACTERS = 1000
_LONGEST_BARE_KEY_BYTES = 1024  # a key names a camera; one much longer may be what the broker refused


def dead_letter(topic: str, frame: RawFrame, error: FrameError) -> Record:
    """Return the record that sets a frame aside.

    Key, value and headers are the frame's own, byte for byte; behind them come headers that tell where it
    lay, since when (milliseconds since 1970), the reason as a label, and the error as a sentence. Should the
    broker refuse that, the dead letter is published without the frame's value and headers.
    """
    origin = frame.origin
    told = _as_headers(
        {
            ORIGIN_TOPIC: origin.topic,
            ORIGIN_PARTITION: str(origin.partition),
            ORIGIN_OFFSET: str(origin.offset),
            ORIGIN_TIMESTAMP: str(frame.timestamp_ms),
            REASON: error.reason,
            ERROR: error.detail,
        }
    )
    return Record(
        topic,
        value=frame.value,
        key=frame.key,
        headers=frame.headers + told,
        substitute=lambda refusal: _bare(topic, frame, told, refusal),
    )


def _bare(topic: str, frame: RawFrame, told: Headers, refusal: str) -> Record:
    """Return a dead letter that any broker takes: one more header tells what was left out, and why."""
    key, omitted = frame.key, [f"value of {len(frame.value or b'')} bytes"]
    headers_bytes = sum(len(name.encode()) + len(value or b"") for name, value in frame.headers)
    omitted.append(f"{len(frame.headers)} headers of {headers_bytes} bytes")
    if key is not None and len(key) > _LONGEST_BARE_KEY_BYTES:
        omitted.append(f"key of {len(key)} bytes")
        key = None
    text = f"{', '.join(omitted)}: {refusal}"[:_REFUSAL_CHARACTERS]
    return Record(topic, value=None, key=key, headers=told + _as_headers({OMITTED: text}))


def _as_headers(told: Mapping[str, str]) -> Headers:
    return tuple((name, text.encode(errors="replace")) for name, text in told.items())
