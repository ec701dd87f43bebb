"""Result records from Kafka, with commits behind those that were handled."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition

from edge.bus.connection import (
    LONGEST_FETCH_MS,
    client_arguments,
    largest_record_bytes,
    start_client,
    stop_consumer,
    wait_for_broker,
)
from edge.bus.membership import keep_polling, may_pass
from edge.bus.topics import require_topics
from edge.errors import BusError
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

# What was handled within the last second may be handled again after a crash.
_COMMIT_INTERVAL_S = 1.0
_REVOKE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record as it lies on its topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    @property
    def place(self) -> str:
        """``topic:partition:offset``."""
        return f"{self.topic}:{self.partition}:{self.offset}"


class ResultReader(ConsumerRebalanceListener):
    """The records of one topic, one after the other, without an end.

    A record counts as handled when the next one is asked for, or when the reader is left without an
    exception. With a group, what is handled is committed about once a second and on leaving, and a first
    start without ``from_beginning`` reads from its own time on, even if it crashes before any record.
    Without a group every start is a first start.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, *, group_id: str | None = None, from_beginning: bool = False
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._group_id = group_id
        self._current: tuple[TopicPartition, int] | None = None
        self._handled: dict[TopicPartition, int] = {}
        self._commit_due_at = time.monotonic() + _COMMIT_INTERVAL_S
        self._joined = asyncio.Event()  # at least once; a failure counts, too
        self._failure: BusError | None = None
        self._polling: asyncio.Task[None] | None = None
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if from_beginning else "latest",
            isolation_level="read_committed",
            fetch_max_wait_ms=LONGEST_FETCH_MS,
            max_partition_fetch_bytes=largest_record_bytes(kafka),
        )

    async def __aenter__(self) -> Self:
        """Wait for the broker and begin to read: no record published from now on is missed.

        Raises:
            MissingTopicError: the topic does not exist.
            BusError: topic or group are not for us.
        """
        try:
            await self._start()
        except BaseException as error:
            await self._close()
            if isinstance(error, KafkaError):
                raise self._refused(error) from error
            raise
        return self

    async def __aexit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        try:
            if error_type is None:
                self._finish_current()
            await self._commit()
        finally:
            await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedRecord:
        self._finish_current()
        while True:
            self._raise_failure()
            if time.monotonic() >= self._commit_due_at:
                await self._commit()
            record = await self._next()
            if record is not None:
                return record

    async def ready(self) -> None:
        """Wait until every partition that falls to us has its position, from which on no record is missed."""
        for partition in self._consumer.assignment():
            position = await self._consumer.position(partition)
            if self._group_id is not None and await self._consumer.committed(partition) is None:
                await self._consumer.commit({partition: position})

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commit what is handled; the record in hand will come again, here or elsewhere."""
        self._current = None
        try:
            async with asyncio.timeout(_REVOKE_TIMEOUT_S):
                await self._commit()
        except (BusError, TimeoutError) as error:
            log.warning("partitions given up uncommitted", topic=self._topic, error=repr(error))
        for partition in revoked:
            self._handled.pop(partition, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin where the commits end."""
        log.info("partitions assigned", partitions=[f"{name}:{number}" for name, number in sorted(assigned)])
        self._joined.set()

    async def _start(self) -> None:
        await wait_for_broker(self._kafka)
        await require_topics(self._kafka, [self._topic])
        if self._group_id is None:
            self._consumer.subscribe([self._topic])
        await start_client(self._consumer, self._kafka)
        self._polling = asyncio.create_task(keep_polling(self._consumer, self._fail))
        if self._group_id is not None:
            self._consumer.subscribe([self._topic], listener=self)
            await self._joined.wait()
        self._raise_failure()
        await self.ready()

    async def _next(self) -> ReceivedRecord | None:
        try:
            records = await self._consumer.getmany(timeout_ms=int(_COMMIT_INTERVAL_S * 1000), max_records=1)
        except KafkaError as error:
            if not may_pass(error):
                self._fail(error)
            else:
                await asyncio.sleep(_COMMIT_INTERVAL_S)  # whether it lasts too long, keep_polling() decides
            return None
        for partition, (record,) in records.items():
            self._current = (partition, record.offset)
            return ReceivedRecord(record.topic, record.partition, record.offset, record.key, record.value)
        return None

    def _finish_current(self) -> None:
        if self._current is not None:
            partition, offset = self._current
            self._handled[partition] = offset + 1
            self._current = None

    async def _commit(self) -> None:
        self._commit_due_at = time.monotonic() + _COMMIT_INTERVAL_S
        handled, self._handled = self._handled, {}
        if not handled or self._group_id is None:
            return
        try:
            await self._consumer.commit(handled)
        except (CommitFailedError, IllegalStateError) as error:
            log.warning(
                "not committed, since the group rebalances",
                topic=self._topic,
                error=repr(error.__cause__ or error),
            )
        except KafkaError as error:
            raise self._refused(error) from error

    async def _close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await stop_consumer(self._consumer, self._kafka)

    def _fail(self, error: KafkaError) -> None:
        self._failure = self._refused(error)
        self._joined.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _refused(self, error: KafkaError) -> BusError:
        return BusError(f"topic {self._topic} at {self._kafka.bootstrap_servers}: {error!r}")
