"""Typed subscription to the result topics: ``async for defect in subscription``."""

from typing import Generic, Literal, Self, TypeVar

import msgspec
import structlog

from edge.bus.results import ResultReader
from edge.contracts.encoding import decode_record
from edge.errors import RecordError
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

Record = TypeVar("Record", bound=msgspec.Struct)


class Subscription(Generic[Record]):
    """The records of a result topic, decoded.

    Use::

        async with Subscription(kafka, kafka.defects_topic, Defect, group_id="coil-map") as defects:
            async for defect in defects:
                ...

    A record counts as handled when the next one is asked for, or when the ``async with`` ends without an
    exception; with a ``group_id``, only handled records are committed, so that each is handled at least once.

    Args:
        kafka: where the broker is.
        topic: the topic to read.
        record_type: what its records are.
        group_id: members of a group share the partitions, and a restart goes on where it stopped. None reads
            everything from now on, for oneself.
        from_beginning: begin, where nothing is committed, with the oldest record instead of the next one.
        bad_records: whether a record that cannot be decoded ends the iteration, or is said in the log and
            passed over.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        record_type: type[Record],
        *,
        group_id: str | None = None,
        from_beginning: bool = False,
        bad_records: Literal["raise", "skip"] = "raise",
    ) -> None:
        self._reader = ResultReader(kafka, topic, group_id=group_id, from_beginning=from_beginning)
        self._record_type = record_type
        self._bad_records = bad_records

    async def __aenter__(self) -> Self:
        """Begin to read: no record published from now on is missed.

        Raises:
            MissingTopicError: the topic does not exist.
            BusError: topic or group are not for us.
        """
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, error_type: type[BaseException] | None, *rest: object) -> None:
        await self._reader.__aexit__(error_type, *rest)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Record:
        """Return the next record; the one before it now counts as handled.

        Raises:
            RecordError: the next one cannot be decoded; the message names its topic, partition and offset.
        """
        async for received in self._reader:
            try:
                return decode_record(received.value, self._record_type)
            except RecordError as error:
                if self._bad_records == "raise":
                    raise RecordError(f"{received.place}: {error}") from error
                log.warning("record passed over", record=received.place, error=str(error))
        raise StopAsyncIteration

    async def ready(self) -> None:
        """Wait until every partition that falls to us has its position, from which on no record is missed."""
        await self._reader.ready()
