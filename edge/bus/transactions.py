"""Results and offsets that become visible together: Kafka's transactions, one producer for each partition.

A transactional id belongs to one input partition (KIP-98; KIP-447 tells why that is the safe form without
fencing by group generation, which aiokafka does not speak). Whoever gets a partition claims its id first: the
broker fences off the holder before, ends what it had begun, and only then answers. So what is committed at
that moment is where reading begins, and nobody else can add to it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from edge.bus.producing import close_producer, enqueue, may_be_sent_again, patiently, start_producer
from edge.bus.record import Record, Refused
from edge.errors import BrokerUnreachableError, BusError, PublishError
from edge.settings import KafkaSettings
from edge.stopping import together

log = structlog.get_logger(__name__)


# How aiokafka says that its transaction ended by itself while we were about to go on with it.
_STATE_LOST = (IllegalOperation, AssertionError)


class UnclaimedError(BusError):
    """The transaction did not happen, or nobody knows: claim the partition, and see what is committed."""

    retriable = True


class RecordsRefusedError(BusError):
    """The broker refuses some records for good; the transaction did not happen."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        super().__init__(f"{len(refused)} records refused, the first: {refused[0].error!r}")
        self.refused = refused


class Transactions:
    """The transactional producers of this daemon, each for one input partition that it has claimed."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producers: dict[TopicPartition, AIOKafkaProducer] = {}
        self._one_claim: defaultdict[TopicPartition, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release(list(self._producers))

    async def claim(self, partition: TopicPartition) -> None:
        """Fence off whoever held the partition before, be it ourselves.

        Raises:
            BrokerUnreachableError: no broker answers.
            PublishError: this account may not use the transactional id.
            UnclaimedError: it did not work this time.
        """
        name = transactional_id(self._kafka, partition)
        async with self._one_claim[partition]:
            await self.release([partition])
            try:
                self._producers[partition] = await start_producer(self._kafka, transactional_id=name)
            except KafkaError as error:
                raise _as_bus_error(f"transactional id {name}", error) from error

    async def claim_in_time(self, partition: TopicPartition) -> None:
        """Claim, however long it takes until the broker answers.

        Raises:
            PublishError: this account may not use the transactional id.
        """
        async for attempt in patiently(UnclaimedError, BrokerUnreachableError):
            with attempt:
                await self.claim(partition)

    def is_claimed(self, partition: TopicPartition) -> bool:
        """Tell whether transactions for the partition can be begun."""
        return partition in self._producers

    async def publish(self, partition: TopicPartition, records: Sequence[Record], position: int) -> None:
        """Publish the results of frames and commit the position behind them, all or nothing.

        Whatever goes wrong, the claim is given up with it: only a new one tells whether the transaction
        happened after all.

        Raises:
            RecordsRefusedError: the broker refuses records for good.
            PublishError: this account may not publish or commit there.
            UnclaimedError: nobody knows how it ended; or the partition was claimed by another daemon.
        """
        producer = self._producers.get(partition)
        if producer is None:
            raise UnclaimedError(f"{partition.topic}:{partition.partition} is not claimed")
        try:
            await self._publish(producer, partition, records, position)
        except BaseException as error:
            if self._producers.get(partition) is producer:
                del self._producers[partition]
            await close_producer(producer)
            if isinstance(error, _STATE_LOST):
                raise UnclaimedError(f"{partition.topic}:{partition.partition}: {error!r}") from error
            if isinstance(error, KafkaError):
                raise _as_bus_error(f"{partition.topic}:{partition.partition}", error) from error
            raise

    async def release(self, partitions: Iterable[TopicPartition]) -> None:
        """Give claims up; a transaction that is under way is aborted by the next claim."""
        producers = [self._producers.pop(partition, None) for partition in partitions]
        await together(close_producer(producer) for producer in producers if producer is not None)

    async def _publish(
        self,
        producer: AIOKafkaProducer,
        partition: TopicPartition,
        records: Sequence[Record],
        position: int,
    ) -> None:
        """1. begin  2. hand over all records  3. see each acknowledged  4. add the position  5. commit."""
        await producer.begin_transaction()
        acknowledgements = [await enqueue(producer, record) for record in records]
        outcomes = await asyncio.gather(*acknowledgements, return_exceptions=True)
        _raise_failures(records, outcomes)
        await producer.send_offsets_to_transaction({partition: position}, self._kafka.group_id)
        await producer.commit_transaction()


def transactional_id(kafka: KafkaSettings, partition: TopicPartition) -> str:
    """Name the right to publish the results of one partition for one consumer group."""
    return f"{kafka.group_id}-{partition.topic}-{partition.partition}"


def _raise_failures(records: Sequence[Record], outcomes: Sequence[object]) -> None:
    """An error that may pass comes first: with it, refusals of other records may be its consequence."""
    failures = [
        (record, outcome)
        for record, outcome in zip(records, outcomes, strict=True)
        if isinstance(outcome, BaseException)
    ]
    refused = []
    for record, error in failures:
        if not isinstance(error, KafkaError) or may_be_sent_again(error):
            raise error
        refused.append(Refused(record, error))
    if refused:
        raise RecordsRefusedError(refused)


def _as_bus_error(what: str, error: KafkaError) -> BusError:
    if isinstance(error, ProducerFenced):
        return UnclaimedError(f"{what}: claimed by another daemon, or its transaction took too long")
    if may_be_sent_again(error):
        return UnclaimedError(f"{what}: {error!r}")
    return PublishError(f"{what}: {error!r}")
