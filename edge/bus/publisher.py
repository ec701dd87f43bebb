"""Records to Kafka, each acknowledged by all replicas that are in sync."""

import asyncio
from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from edge.bus.connection import wait_for_broker
from edge.bus.producing import close_producer, enqueue, may_be_sent_again, patiently, start_producer
from edge.bus.record import Record, Refused, substitute_of
from edge.errors import BrokerUnreachableError, BusError, PublishError
from edge.settings import KafkaSettings

__all__ = ["Publisher", "Record"]


class _UnacknowledgedError(BusError):
    """Some records were not acknowledged, but may be when they are sent again."""

    retriable = True


class Publisher:
    """An idempotent producer: no record twice by its own retries, none out of order.

    It never gives up on an error that may pass: a broker that restarts, a leader that moves.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await wait_for_broker(self._kafka)
        await self._start_producer()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_producer()

    async def publish(self, records: Sequence[Record]) -> None:
        """Send records in their order, and wait until all are acknowledged.

        Calls that overlap are served one after the other. Substitutes of refused records come last.

        Raises:
            PublishError: the broker refuses for good a record that has no substitute, or its substitute; the
                message names its topic. All others of the call are acknowledged by then.
        """
        async with self._one_at_a_time:
            final: list[PublishError] = []
            while records:
                records, errors = _substitutes(await self._send_until_answered(records))
                final += errors
            if final:
                raise final[0]

    async def _send_until_answered(self, records: Sequence[Record]) -> list[Refused]:
        """Send records until each is acknowledged or refused for good; return the latter."""
        refused: list[Refused] = []
        async for attempt in patiently(_UnacknowledgedError, BrokerUnreachableError):
            with attempt:
                records = await self._send(records, refused)
                if records:
                    topics = ", ".join(sorted({record.topic for record in records}))
                    raise _UnacknowledgedError(f"{len(records)} records not acknowledged: {topics}")
        return refused

    async def _send(self, records: Sequence[Record], refused: list[Refused]) -> list[Record]:
        """Send records; return those that have to be sent again."""
        if not records:
            return []
        producer = self._producer or await self._start_producer()
        outcomes = await asyncio.gather(
            *[await enqueue(producer, record) for record in records], return_exceptions=True
        )
        again = []
        for record, outcome in zip(records, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                continue
            # The producer's sequence numbers may have a hole now, for which the broker would refuse all
            # that follows: a new producer starts a new sequence.
            await self._stop_producer()
            if not isinstance(outcome, KafkaError):
                raise outcome
            if may_be_sent_again(outcome):
                again.append(record)
            else:
                refused.append(Refused(record, outcome))
        return again

    async def _start_producer(self) -> AIOKafkaProducer:
        self._producer = await start_producer(self._kafka)
        return self._producer

    async def _stop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer)


def _substitutes(refused: Sequence[Refused]) -> tuple[list[Record], list[PublishError]]:
    """Return the records to publish instead of the refused ones, and an error for each that has none."""
    substitutes, final = [], []
    for each in refused:
        try:
            substitutes.append(substitute_of(each))
        except PublishError as error:
            final.append(error)
    return substitutes, final
