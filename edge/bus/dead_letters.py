"""Frames that cannot be inspected, set aside as they came."""

from edge.bus.publisher import Record
from edge.contracts.frame import RawFrame
from edge.errors import FrameError

ORIGIN_TOPIC = "stripsight-origin-topic"
ORIGIN_PARTITION = "stripsight-origin-partition"
ORIGIN_OFFSET = "stripsight-origin-offset"
ORIGIN_TIMESTAMP = "stripsight-origin-timestamp-ms"
REASON = "stripsight-reason"
ERROR = "stripsight-error"

_ERROR_CHARACTERS = 1000  # an error may quote what it stumbled over


def dead_letter(topic: str, frame: RawFrame, error: FrameError) -> Record:
    """Return the record that sets a frame aside.

    Key, value and headers are the frame's own, byte for byte; behind them come headers that tell where it
    lay, since when (milliseconds since 1970), the reason as a label, and the error as a sentence.
    """
    origin = frame.origin
    told = {
        ORIGIN_TOPIC: origin.topic,
        ORIGIN_PARTITION: str(origin.partition),
        ORIGIN_OFFSET: str(origin.offset),
        ORIGIN_TIMESTAMP: str(frame.timestamp_ms),
        REASON: error.reason,
        ERROR: str(error)[:_ERROR_CHARACTERS],
    }
    headers = tuple((name, text.encode(errors="replace")) for name, text in told.items())
    return Record(topic, value=frame.value, key=frame.key, headers=frame.headers + headers)
