"""A cluster of three brokers loses one."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from edge.bus.producing import patiently
from edge.bus.publisher import Publisher
from edge.settings import KafkaSettings, Settings
from tests.conftest import skip_or_fail
from tests.faults.conftest import LONG, Close, a_line
from tests.support.cameras import Cameras
from tests.support.kafka_broker import KafkaBroker, kafka_cluster, why_no_docker
from tests.support.line import frame, running

NODES = 3
CALM = 10  # frames a second and camera: three brokers on two cores copy each record three times
COPIES = {
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "3",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "3",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "2",
    "KAFKA_MIN_INSYNC_REPLICAS": "2",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Sequence[KafkaBroker]]:
    """Three brokers; two copies of each record make it acknowledged."""
    if reason := why_no_docker():
        skip_or_fail("docker", reason)
    with kafka_cluster(NODES, COPIES) as brokers:
        yield brokers


@pytest.fixture
async def settings(cluster: Sequence[KafkaBroker], delivery: str) -> Settings:
    """A line on the cluster. Its dead letters need all three copies, so that one broker less stops them."""
    settings = await a_line(",".join(broker.bootstrap_servers for broker in cluster), delivery)
    strict = ("--add-config", "min.insync.replicas=3", "--entity-name", settings.kafka.dead_letter_topic)
    await asyncio.to_thread(
        cluster[0].script, "kafka-configs.sh", "--alter", "--entity-type", "topics", *strict
    )
    return settings


async def leader(kafka: KafkaSettings, topic: str) -> int:
    """Number of the broker that leads the topic's only partition, once there is one."""
    async for attempt in patiently(KafkaError, LookupError):
        with attempt:
            async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
                metadata = await consumer._client.fetch_all_metadata()
            number = metadata.leader_for_partition(TopicPartition(topic, 0))
            if number is None or number < 0:
                raise LookupError(topic)
    return int(number)


@asynccontextmanager
async def without(broker: KafkaBroker) -> AsyncIterator[None]:
    """Kill -9 to a broker of the cluster, and a start at the end, come what may."""
    await asyncio.to_thread(broker.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(broker.start)


async def test_leader_moved(settings: Settings, cluster: Sequence[KafkaBroker], close: Close) -> None:
    """The leader of the audit trail is killed: another one takes over, and the line goes on meanwhile."""
    kafka = settings.kafka
    async with running(settings) as daemon, Cameras(kafka, frames_a_second=CALM) as cameras:
        for _ in range(3 if LONG else 1):
            await cameras.publish_more(30)
            old = await leader(kafka, kafka.inspections_topic)
            async with without(cluster[old - 1]):
                while await leader(kafka, kafka.inspections_topic) == old:
                    await cameras.publish_more(3)
                await cameras.publish_more(30)
                while sum(daemon.lag().values()) > 30:
                    await cameras.publish_more(1)
        await cameras.finish()
        await close()


async def test_dead_letter_topic_that_takes_nothing_for_now(
    settings: Settings, cluster: Sequence[KafkaBroker], close: Close
) -> None:
    """Too few copies can be made, as on full disks: the line waits and loses nothing, and goes on later."""
    kafka = settings.kafka
    topic = (kafka.frame_topics or [])[0]
    async with (
        running(settings) as daemon,
        Publisher(kafka) as publisher,
        Cameras(kafka, frames_a_second=CALM) as cameras,
    ):
        lost = await leader(kafka, topic) % NODES  # not the frames' leader, so that cameras go on
        async with without(cluster[lost]):
            await cameras.publish_more(30)
            await publisher.publish([frame(topic, number, b"no image") for number in range(5)])
            while sum(daemon.lag().values()) < 100:
                await cameras.publish_more(3)
        await cameras.finish()
        account = await close()
    assert [each.outcome for each in account.inspections].count("failed") == 5
