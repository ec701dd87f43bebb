"""A record on its way to Kafka, and what becomes of one that Kafka refuses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError

from edge.contracts.frame import FrameOrigin, Headers
from edge.errors import PublishError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish. Records of one key keep their order.

    ``substitute`` makes, from the broker's refusal in words, the record to publish instead of one that is
    refused for good.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    substitute: Callable[[str], "Record"] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FrameResults:
    """All records that tell of one frame."""

    origin: FrameOrigin
    records: Sequence[Record]


class Refused(NamedTuple):
    """A record that the broker will never take."""

    record: Record
    error: KafkaError


def substitute_of(refused: Refused) -> Record:
    """Return the record to publish instead of a refused one.

    Raises:
        PublishError: there is none; the message names the topic.
    """
    record, error = refused
    if record.substitute is None:
        size = len(record.value or b"")
        raise PublishError(f"{record.topic}: record of {size} bytes refused: {error!r}") from error
    log.error("record refused, publishing its substitute", topic=record.topic, error=repr(error))
    return record.substitute(repr(error))
