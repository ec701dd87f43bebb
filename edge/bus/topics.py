"""Which topics exist, which of them hold frames, and the creation of those that are missing."""

import re
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

import stamina
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, NoError, TopicAlreadyExistsError, for_code

from edge.bus.connection import client_arguments, largest_frame_bytes, largest_record_bytes
from edge.errors import BrokerUnreachableError, BusError, MissingTopicError
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

# One partition keeps the order of all results; who needs more creates the topics beforehand.
_PARTITIONS = 1
_REPLICAS = 3  # as many as a production cluster usually has; fewer brokers hold fewer
_LEADER_TIMEOUT_S = 30.0  # a topic just created has its leader within a second, on a busy cluster within ten


def is_frame_topic(topic: str, kafka: KafkaSettings) -> bool:
    """Tell whether a topic holds frames of a camera; dead letters never do, whatever the pattern says."""
    if topic == kafka.dead_letter_topic:
        return False
    if kafka.frame_topics is not None:
        return topic in kafka.frame_topics
    return re.match(kafka.frame_topic_pattern, topic) is not None


async def existing_topics(kafka: KafkaSettings) -> frozenset[str]:
    """Return the names of all topics that this client may see; creates none.

    Raises:
        BrokerUnreachableError: no broker answers.
    """
    async with _admin(kafka) as admin:
        return frozenset(await admin.list_topics())


async def require_topics(kafka: KafkaSettings, topics: Collection[str]) -> None:
    """Check that topics exist.

    Raises:
        MissingTopicError: one does not; the message names it.
    """
    missing = sorted(set(topics) - await existing_topics(kafka))
    if missing:
        raise MissingTopicError(
            f"{_list(missing)} at {kafka.bootstrap_servers}: no such topic (and the account may see no other)"
        )


async def ensure_topics(kafka: KafkaSettings, topics: Iterable[str] | None = None) -> None:
    """Create the topics that are missing, large enough for the largest record.

    Args:
        kafka: says whether topics may be created.
        topics: None stands for those that the daemon writes: defects, inspections, dead letters.

    Raises:
        MissingTopicError: one is missing and may not be created.
        BrokerUnreachableError: no broker answers.
    """
    if topics is None:
        topics = (kafka.defects_topic, kafka.inspections_topic, kafka.dead_letter_topic)
    if not kafka.create_topics:
        await require_topics(kafka, list(topics))
        return
    async with _admin(kafka) as admin:
        missing = sorted(set(topics) - set(await admin.list_topics()))
        if missing:
            await _create(admin, kafka, missing)
            await _wait_for_leaders(admin, missing)
            log.info("topics created", topics=missing)


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_arguments(kafka))
    try:
        await admin.start()
        yield admin
    except KafkaConnectionError as error:
        raise BrokerUnreachableError(f"no broker answers at {kafka.bootstrap_servers}: {error}") from error
    except KafkaError as error:
        raise BusError(f"{kafka.bootstrap_servers}: {error!r}") from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, kafka: KafkaSettings, missing: list[str]) -> None:
    cluster = await admin.describe_cluster()
    brokers = {broker["node_id"] for broker in cluster["brokers"]}
    if cluster["controller_id"] not in brokers:
        # A mock cluster has no controller to ask, but creates what it is asked about.
        await admin.describe_topics(missing)
        return
    response: Any = await admin.create_topics(
        [
            NewTopic(
                topic,
                num_partitions=_PARTITIONS,
                replication_factor=min(_REPLICAS, len(brokers)),
                topic_configs={"max.message.bytes": str(_limit_bytes(kafka, topic))},
            )
            for topic in missing
        ]
    )
    for topic, code, *message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            reason = next(filter(None, message), error.__name__)
            raise MissingTopicError(f"{topic} does not exist and was not created: {reason}")


def _limit_bytes(kafka: KafkaSettings, topic: str) -> int:
    return largest_frame_bytes(kafka) if is_frame_topic(topic, kafka) else largest_record_bytes(kafka)


async def _wait_for_leaders(admin: AIOKafkaAdminClient, topics: list[str]) -> None:
    async for attempt in stamina.retry_context(
        on=BusError, attempts=None, timeout=_LEADER_TIMEOUT_S, wait_initial=0.1, wait_max=1.0, wait_jitter=0
    ):
        with attempt:
            described = await admin.describe_topics(topics)
            leaderless = sorted(topic["topic"] for topic in described if not _has_leaders(topic))
            if leaderless:
                raise BusError(f"{_list(leaderless)}: no leader yet")


def _has_leaders(topic: dict[str, list[dict[str, int]]]) -> bool:
    partitions = topic["partitions"]
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


def _list(topics: Iterable[str]) -> str:
    return ", ".join(topics)
