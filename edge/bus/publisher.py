"""Records to Kafka, each acknowledged by all replicas that are in sync."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import stamina
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from edge.bus.connection import client_arguments, largest_record_bytes, start_client, wait_for_broker
from edge.contracts.frame import Headers
from edge.errors import BrokerUnreachableError, BusError, PublishError
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

# Small records share a request up to this size; a larger one, as frames are, goes by itself. It must stay
# below max.message.bytes of the topics, which by Kafka's default is 1 MiB.
_BATCH_BYTES = 256 * 1024

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0

# aiokafka waits on closing for what is unacknowledged, without a limit. Nothing is, unless publish() was
# cancelled while the broker was gone; then what it held is published again by whoever reads the frames again.
_CLOSE_TIMEOUT_S = 5.0

# These pass with a new producer, though Kafka does not call them retriable: the buffer was full for long, the
# broker does not know the producer's sequence, or the producer ended (a plain KafkaError).
_CURED_BY_NEW_PRODUCER = (KafkaTimeoutError, OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)


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


class _Refused(NamedTuple):
    """A record that the broker will never take."""

    record: Record
    error: KafkaError


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
            refused = await self._send_until_answered(records)
            substitutes, final = _substitutes(refused)
            final += await self._send_until_answered(substitutes)
            if final:
                raise _publish_error(final[0])

    async def _send_until_answered(self, records: Sequence[Record]) -> list[_Refused]:
        """Send records until each is acknowledged or refused for good; return the latter."""
        refused: list[_Refused] = []
        async for attempt in stamina.retry_context(
            on=(_UnacknowledgedError, BrokerUnreachableError),
            attempts=None,
            timeout=None,
            wait_initial=_FIRST_WAIT_S,
            wait_max=_LONGEST_WAIT_S,
            wait_jitter=0,
        ):
            with attempt:
                records = await self._send(records, refused)
                if records:
                    topics = ", ".join(sorted({record.topic for record in records}))
                    raise _UnacknowledgedError(f"{len(records)} records not acknowledged: {topics}")
        return refused

    async def _send(self, records: Sequence[Record], refused: list[_Refused]) -> list[Record]:
        """Send records; return those that have to be sent again."""
        if not records:
            return []
        producer = self._producer or await self._start_producer()
        outcomes = await asyncio.gather(
            *[await _enqueue(producer, record) for record in records], return_exceptions=True
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
            if _may_pass(outcome):
                again.append(record)
            else:
                refused.append(_Refused(record, outcome))
        return again

    async def _start_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **client_arguments(self._kafka),
            enable_idempotence=True,
            acks="all",
            compression_type=None,  # frames are compressed images; results are small
            max_request_size=largest_record_bytes(self._kafka),
            max_batch_size=min(_BATCH_BYTES, largest_record_bytes(self._kafka)),
            linger_ms=0,  # publish() hands over all its records before the producer looks for work
        )
        await start_client(producer, self._kafka)
        self._producer = producer
        return producer

    async def _stop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await producer.stop()
        except TimeoutError:
            log.warning("closed with records unacknowledged", brokers=self._kafka.bootstrap_servers)
            await producer.client.close()


async def _enqueue(producer: AIOKafkaProducer, record: Record) -> asyncio.Future[object]:
    """Hand a record over; the future is its acknowledgement, or why there is none."""
    value = record.value
    if value is None and record.key is None:
        value = b""  # Kafka knows records with neither, aiokafka does not
    try:
        acknowledgement: asyncio.Future[object] = await producer.send(
            record.topic, value=value, key=record.key, headers=list(record.headers)
        )
    except KafkaError as error:
        failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed
    return acknowledgement


def _may_pass(error: KafkaError) -> bool:
    """Tell whether the same record may be accepted later."""
    return bool(error.retriable) or isinstance(error, _CURED_BY_NEW_PRODUCER) or type(error) is KafkaError


def _substitutes(refused: Sequence[_Refused]) -> tuple[list[Record], list[_Refused]]:
    """Return the records to publish instead of the refused ones, and those that have no substitute."""
    substitutes, final = [], []
    for record, error in refused:
        if record.substitute is None:
            final.append(_Refused(record, error))
        else:
            log.error("record refused, publishing its substitute", topic=record.topic, error=repr(error))
            substitutes.append(record.substitute(repr(error)))
    return substitutes, final


def _publish_error(refused: _Refused) -> PublishError:
    record, error = refused
    size = len(record.value or b"")
    return PublishError(f"{record.topic}: record of {size} bytes refused: {error!r}")
