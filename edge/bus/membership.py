"""How a slow handler stays in its consumer group, and which errors end the membership."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

log = structlog.get_logger(__name__)

_NOWHERE = TopicPartition("", 0)
_POLL_MS = 1000

# Errors that may pass are waited out for half a minute: a rebalance that went wrong is over by then.
_PAUSE_AFTER_ERROR_S = 1.0
_ERRORS_IN_A_ROW = 30


async def keep_polling(consumer: AIOKafkaConsumer, on_final_error: Callable[[KafkaError], None]) -> None:
    """Poll without taking records, so that the consumer always counts as alive; ends with a final error.

    aiokafka leaves the group when nobody polls for ``max_poll_interval_ms``, and does not join again before
    somebody does. That guards against a handler that hangs; here a slow one is no reason to move its
    partitions, and for one that hangs the daemon's liveness check "inference" fails, so that whoever watches
    over the daemon starts it anew. Only polling tells of errors, too: of a group that may not be joined, for
    example, which matters while there are no records to poll for.
    """
    errors = 0
    while True:
        try:
            await consumer.getmany(_NOWHERE, timeout_ms=_POLL_MS)
            errors = 0
        except KafkaError as error:
            errors += 1
            if not may_pass(error) or errors == _ERRORS_IN_A_ROW:
                on_final_error(error)
                return
            log.warning("kafka", error=repr(error))
            await asyncio.sleep(_PAUSE_AFTER_ERROR_S)


def may_pass(error: KafkaError) -> bool:
    """Tell whether a consumer may go on after an error.

    What aiokafka did not expect from the broker it raises as a plain ``KafkaError``, and joins again.
    """
    return bool(error.retriable) or type(error) is KafkaError
