"""Producers of aiokafka: how they are made, handed records, and left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

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

from edge.bus.connection import client_arguments, largest_record_bytes, start_client
from edge.bus.record import Record
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0

# Small records share a request up to this size; a larger one, as frames are, goes by itself. It must stay
# below max.message.bytes of the topics, which by Kafka's default is 1 MiB.
_BATCH_BYTES = 256 * 1024

# aiokafka waits on closing for what is unacknowledged, without a limit. Nothing is, unless it was given up
# while the broker was gone; then what it held is published again by whoever reads the frames again.
_CLOSE_TIMEOUT_S = 5.0

# These pass with a new producer, though Kafka does not call them retriable: the buffer was full for long, the
# broker does not know the producer's sequence, or the producer ended (a plain KafkaError).
_CURED_BY_NEW_PRODUCER = (KafkaTimeoutError, OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)


async def patiently(*errors: type[Exception]) -> AsyncIterator[AbstractContextManager[object]]:
    """Yield attempts without an end: errors of these types are waited out, in the end for 5 s at a time.

    The first attempt is nearly always the only one, and goes without what counts attempts: that leaves some
    50 objects behind in cycles, batch after batch, which only the garbage collector finds.
    """
    first = _FirstAttempt(errors)
    yield first
    if first.error is None:
        return
    log.warning("trying again", error=str(first.error), wait_s=_FIRST_WAIT_S)
    await asyncio.sleep(_FIRST_WAIT_S)
    async for attempt in stamina.retry_context(
        on=errors,
        attempts=None,
        timeout=None,
        wait_initial=2 * _FIRST_WAIT_S,
        wait_max=_LONGEST_WAIT_S,
        wait_jitter=0,
    ):
        yield attempt


class _FirstAttempt(AbstractContextManager[object]):
    """Keeps an error that is to be waited out; others pass."""

    def __init__(self, errors: tuple[type[Exception], ...]) -> None:
        self.error: BaseException | None = None
        self._errors = errors

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> bool:
        if isinstance(error, self._errors):
            self.error = error
        return self.error is not None


async def start_producer(kafka: KafkaSettings, *, transactional_id: str | None = None) -> AIOKafkaProducer:
    """Start an idempotent producer, whose records are acknowledged by all replicas that are in sync.

    Args:
        kafka: where the broker is.
        transactional_id: makes it transactional; whoever else held this id is fenced off by then, and what it
            had begun is aborted.

    Raises:
        BrokerUnreachableError: no broker answers.
    """
    producer = AIOKafkaProducer(
        **client_arguments(kafka),
        enable_idempotence=True,
        acks="all",
        transactional_id=transactional_id,
        compression_type=None,  # frames are compressed images; results are small
        max_request_size=largest_record_bytes(kafka),
        max_batch_size=min(_BATCH_BYTES, largest_record_bytes(kafka)),
        linger_ms=0,  # all records are handed over before the producer looks for work
    )
    await start_client(producer, kafka)
    return producer


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer; one that waits for a broker that is gone is left behind."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await producer.stop()
    except TimeoutError:
        log.warning("producer closed with records unacknowledged")
        await producer.client.close()


async def enqueue(producer: AIOKafkaProducer, record: Record) -> asyncio.Future[object]:
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


def may_be_sent_again(error: KafkaError) -> bool:
    """Tell whether the same record may be accepted later."""
    return bool(error.retriable) or isinstance(error, _CURED_BY_NEW_PRODUCER) or type(error) is KafkaError
