"""aiokafka's own log, without its repetitions."""

import logging
import time

# With the broker gone, aiokafka repeats itself 200 times a second, for as long as it lasts.
_INTERVAL_S = 30.0

# Said once by edge.bus.connection, with the setting to mend.
_SAID_BY_US = "Sending username and password in the clear"

_LOGGERS = (
    "aiokafka",
    "aiokafka.client",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


class RepetitionFilter(logging.Filter):
    """Lets a message through once in an interval, whatever its arguments."""

    def __init__(self, interval_s: float = _INTERVAL_S) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the message was not said lately, nor by us."""
        now, message = time.monotonic(), str(record.msg)
        if message == _SAID_BY_US:
            return False
        if now - self._said_at.get(message, -self._interval_s) < self._interval_s:
            return False
        self._said_at[message] = now
        return True


def quieten() -> None:
    """Filter aiokafka's loggers; filters of a logger do not hold for those below it, so each has its own."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(RepetitionFilter())
