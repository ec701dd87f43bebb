"""What the broker last said: whether it answers, and where its partitions begin and end for us."""

import asyncio
from collections.abc import Iterable

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition

log = structlog.get_logger(__name__)

# A broker at work answers within milliseconds, or behind a fetch within 0.5 s; with one that is silent for
# 5 s, something is wrong.
_ANSWER_TIMEOUT_S = 5.0


class BrokerWatch:
    """Asks at intervals for the ends of all assigned partitions.

    A consumer learns of them by fetching, so exactly when it is overloaded and does not fetch it would not
    see the lag grow. And it notices a lost broker late: this is noticed after one interval.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, interval_s: float) -> None:
        self.reachable = True
        self._consumer = consumer
        self._interval_s = interval_s
        self._starts: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    def records_behind(self, partition: TopicPartition, position: int | None) -> int | None:
        """Return how many offsets lie between a position and the partition's end; None: not known yet.

        Args:
            partition: one that is assigned.
            position: None stands for where reading began.
        """
        if position is None:
            position = self._starts.get(partition)
        end = self._ends.get(partition)
        return None if position is None or end is None else max(end - position, 0)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop what is known of partitions that were given up."""
        for partition in partitions:
            self._starts.pop(partition, None)
            self._ends.pop(partition, None)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    await self._ask()
            except (KafkaError, TimeoutError) as error:
                self._note(reachable=False, detail=repr(error))
            else:
                self._note(reachable=True)
            await asyncio.sleep(self._interval_s)

    async def _ask(self) -> None:
        assigned = self._consumer.assignment()
        if not assigned:
            await self._consumer.topics()
            return
        self._ends.update(await self._consumer.end_offsets(assigned))
        for partition in assigned - self._starts.keys():
            try:
                self._starts[partition] = await self._consumer.position(partition)
            except IllegalStateError:
                continue  # given up while we asked
        self.forget((self._ends.keys() | self._starts.keys()) - self._consumer.assignment())

    def _note(self, *, reachable: bool, detail: str = "") -> None:
        if reachable and not self.reachable:
            log.info("broker answers again")
        elif self.reachable and not reachable:
            log.warning("broker does not answer", error=detail)
        self.reachable = reachable
