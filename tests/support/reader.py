"""Whoever reads along while a daemon works."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.subscription import Subscription
from edge.bus.publisher import Publisher
from edge.contracts import Defect, Inspection
from edge.daemon import Daemon
from edge.pipeline.exchange import Load
from edge.settings import KafkaSettings, Settings
from edge.stopping import beside
from tests.support.line import DEADLINE_S, running


class Reader:
    """Reads every record that the daemon publishes, and checks that the account closes."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()
        self.inspections: list[Inspection] = []
        self.defects: list[Defect] = []

    async def __aenter__(self) -> Self:
        kafka = self._kafka
        await self._read(Subscription(kafka, kafka.inspections_topic, Inspection), self.inspections)
        await self._read(Subscription(kafka, kafka.defects_topic, Defect), self.defects)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _read(self, subscription: Subscription[Any], taken: list[Any]) -> None:
        """Read what comes from now on, until the end."""

        async def read() -> None:
            async for record in subscription:
                async with self._changed:
                    taken.append(record)
                    self._changed.notify_all()

        await self._stack.enter_async_context(subscription)
        await self._stack.enter_async_context(beside(read()))

    async def until(self, enough: Callable[[], object]) -> None:
        """Wait for a state of the records."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(enough)

    async def close_account(self, published: int) -> None:
        """Wait for so many frames to have their record and their defects; none has two."""
        await self.until(lambda: len(self.inspections) >= published)
        await self.until(lambda: len(self.defects) >= sum(one.defects for one in self.inspections))
        for records in (self.inspections, self.defects):
            assert len({record.id for record in records}) == len(records)
        assert len(self.inspections) == published

    def of(self, topic: str) -> list[Inspection]:
        """The inspections of one camera, in the order in which they were published."""
        return [inspection for inspection in self.inspections if inspection.frame.topic == topic]


@asynccontextmanager
async def read_along(
    settings: Settings, load: Load | None = None
) -> AsyncIterator[tuple[Daemon, Publisher, Reader]]:
    """A daemon at work, a publisher for its frames, and whoever reads along."""
    async with (
        Reader(settings.kafka) as reader,
        running(settings, load) as daemon,
        Publisher(settings.kafka) as publisher,
    ):
        yield daemon, publisher, reader


async def committed(kafka: KafkaSettings) -> dict[str, int | None]:
    """Where the group's next member would begin, by topic of one partition."""
    partitions = [TopicPartition(topic, 0) for topic in kafka.frame_topics or []]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    consumer.assign(partitions)
    await consumer.start()
    try:
        return {partition.topic: await consumer.committed(partition) for partition in partitions}
    finally:
        await consumer.stop()


def versions(inspections: Sequence[Inspection]) -> list[str]:
    """Which model looked at each frame."""
    assert all(one.model is not None for one in inspections)
    return [one.model.version for one in inspections if one.model is not None]
