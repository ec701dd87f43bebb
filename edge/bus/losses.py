"""Frames that nobody will ever read: deleted at the broker before their turn came."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

log = structlog.get_logger(__name__)

# The coordinator answers within milliseconds. While it is asked, a rebalance waits.
_ANSWER_TIMEOUT_S = 5.0


class _Gap(NamedTuple):
    """Offsets that were passed over: from the one expected to the one before ``found``."""

    partition: TopicPartition
    expected: int
    found: int


class LossWatch:
    """Finds out whether offsets that were passed over once held frames.

    When retention at the broker deletes what was not read yet, Kafka's client goes on with the oldest record
    left, and says nothing. Not every gap is a loss: transactions and compaction leave some as well. What
    tells a loss is that the partition begins behind the offset that was expected.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, interval_s: float) -> None:
        self.lost_frames: Counter[str] = Counter()
        self._consumer = consumer
        self._interval_s = interval_s
        self._expected: dict[TopicPartition, int] = {}
        self._gaps: list[_Gap] = []
        self._gap_seen = asyncio.Event()

    async def begin(self, partitions: Iterable[TopicPartition]) -> None:
        """Learn, before any frame is taken of partitions just assigned, where reading should go on.

        From now on their topics are counted, so that none lost is told as 0.
        """
        partitions = tuple(partitions)
        self._expected.clear()
        for topic, _ in partitions:
            self.lost_frames[topic] += 0
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                for partition in partitions:
                    committed = await self._consumer.committed(partition)
                    if committed is not None:
                        self._expected[partition] = committed
        except (KafkaError, TimeoutError) as error:
            log.warning("committed offsets not known; losses before them go unnoticed", error=repr(error))

    def note(self, partition: TopicPartition, offset: int) -> None:
        """Note that a frame was taken."""
        expected = self._expected.get(partition, offset)
        self._expected[partition] = offset + 1
        if offset > expected:
            self._gaps.append(_Gap(partition, expected, offset))
            self._gap_seen.set()

    async def run(self) -> None:
        """Judge gaps until cancelled."""
        while True:
            await self._gap_seen.wait()
            try:
                await self._judge_gaps()
            except KafkaError as error:
                log.warning("not known whether frames were lost, asking again", error=repr(error))
                self._keep(gap for gap in self._gaps if gap.partition in self._consumer.assignment())
            await asyncio.sleep(self._interval_s)  # a camera that publishes in transactions leaves many

    async def _judge_gaps(self) -> None:
        gaps = list(self._gaps)
        starts = await self._consumer.beginning_offsets({gap.partition for gap in gaps})
        for gap in gaps:
            self._judge(gap, starts.get(gap.partition, 0))
        self._keep(self._gaps[len(gaps) :])  # what was seen meanwhile may be younger than the answer

    def _keep(self, gaps: Iterable[_Gap]) -> None:
        self._gaps = list(gaps)
        if not self._gaps:
            self._gap_seen.clear()

    def _judge(self, gap: _Gap, start: int) -> None:
        lost = min(start, gap.found) - gap.expected
        if lost < 1:
            return
        topic, partition = gap.partition
        self.lost_frames[topic] += lost
        log.error(
            "frames lost: deleted at the broker before they were read; see docs/overload.md",
            topic=topic,
            partition=partition,
            first_offset=gap.expected,
            last_offset=gap.expected + lost - 1,
            frames=lost,
        )
