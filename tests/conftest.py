"""What every test may ask for."""

import asyncio
import os
import resource
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.consumer.group_coordinator import GroupCoordinator

from edge.bus.mock_cluster import MockCluster
from edge.settings import KafkaSettings
from tests.support.any_broker import AnyBroker
from tests.support.kafka_broker import KafkaBroker, why_no_docker

Answer = TypeVar("Answer")

MakeTopic = Callable[..., Awaitable[str]]
Until = Callable[..., Awaitable[object]]

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def skip_or_fail(what: str, reason: str) -> None:
    """Skip, unless this machine has promised to have ``what`` (STRIPSIGHT_TEST_NO_SKIP=frames,docker)."""
    if what in os.environ.get("STRIPSIGHT_TEST_NO_SKIP", "").split(","):
        pytest.fail(f"must not be skipped here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real frames and Detectron2's reference outputs, which are never part of the repository."""
    if not SHARED_DATA.is_dir():
        skip_or_fail("frames", f"real frames are absent: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def no_room() -> Callable[[], AbstractContextManager[None]]:
    """A context in which no file of this process can grow, as on a full disk."""

    @contextmanager
    def full() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[str]:
    """Address of an Apache Kafka: STRIPSIGHT_TEST_KAFKA, else one in a container for this run."""
    if address := os.environ.get("STRIPSIGHT_TEST_KAFKA"):
        yield address
        return
    if reason := why_no_docker():
        skip_or_fail("docker", reason)
    with KafkaBroker() as broker:
        yield broker.bootstrap_servers


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def any_broker(request: pytest.FixtureRequest) -> Iterator[AnyBroker]:
    """The broker to test against, one after the other: what holds for one has to hold for both."""
    if request.param == "kafka":
        yield AnyBroker(request.getfixturevalue("apache_kafka"))
        return
    with MockCluster() as cluster:  # the same that `edge.bus.embedded` runs in a child
        yield AnyBroker(cluster.bootstrap_servers, cluster)


@pytest.fixture
def kafka(any_broker: AnyBroker) -> KafkaSettings:
    """Settings of a daemon whose group and topics no other test has; its frame topics: `<name>.frames.*`."""
    name = f"t{uuid.uuid4().hex[:8]}"
    return KafkaSettings(
        bootstrap_servers=any_broker.bootstrap_servers,
        group_id=name,
        frame_topic_pattern=rf"^{name}\.frames\..+",
        defects_topic=f"{name}.defects",
        inspections_topic=f"{name}.inspections",
        dead_letter_topic=f"{name}.frames.dead-letter",
        # The mock cluster waits in each rebalance for nearly so long; Kafka allows none below 6 s.
        session_timeout_ms=6000 if any_broker.is_kafka else 1500,
    )


@pytest.fixture
async def make_topic(any_broker: AnyBroker, kafka: KafkaSettings) -> MakeTopic:
    """Topics for one test, each by its name and number of partitions; the name gets the test's prefix."""

    async def make(name: str, partitions: int = 1) -> str:
        topic = f"{kafka.group_id}.{name}"
        if any_broker.mock is None:
            await _create_on_kafka(kafka, topic, partitions)
        else:
            any_broker.mock.create_topic(topic, partitions)
        return topic

    return make


async def _create_on_kafka(kafka: KafkaSettings, topic: str, partitions: int) -> None:
    configs = {"max.message.bytes": str(2 * kafka.max_message_bytes)}
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    finally:
        await admin.close()


@pytest.fixture
def mock_groups(any_broker: AnyBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let groups of several members work on the mock cluster.

    It fails the members that sync after the leader of their group; so here the leader takes its time.
    """
    if any_broker.is_kafka:
        return
    perform_assignment = GroupCoordinator._perform_assignment

    async def perform_late(self: GroupCoordinator, response: object) -> object:
        await asyncio.sleep(0.05)
        return await perform_assignment(self, response)

    monkeypatch.setattr(GroupCoordinator, "_perform_assignment", perform_late)


@pytest.fixture
def until() -> Until:
    """Patience: what it is given is asked again and again until the answer is true, or not empty."""

    async def wait(ask: Callable[[], Answer], timeout_s: float = 10.0) -> Answer:
        async with asyncio.timeout(timeout_s):
            while not (answer := ask()):  # noqa: ASYNC110 - states of a broker come without an event
                await asyncio.sleep(0.005)
        return answer

    return wait
