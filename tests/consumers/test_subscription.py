"""Typed subscription: what an application on the results may rely on, over any broker."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from structlog.testing import capture_logs

from consumers.subscription import Subscription
from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.contracts.encoding import encode_record
from edge.errors import BusError, MissingTopicError, RecordError
from edge.settings import KafkaSettings
from tests.support.any_broker import AnyBroker

MakeTopic = Callable[..., Awaitable[str]]
Until = Callable[..., Awaitable[object]]

pytestmark = pytest.mark.usefixtures("mock_groups")

COMMIT, JOIN_GROUP, GROUP_AUTHORIZATION_FAILED = 8, 11, 30  # Kafka's numbers


class Scratch(msgspec.Struct):
    """A record to subscribe to."""

    number: int


@pytest.fixture(autouse=True)
def short_sessions(any_broker: AnyBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock cluster waits in each rebalance for the session timeout less a second."""
    if any_broker.is_kafka:
        return

    def consumer(**arguments: object) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**arguments, session_timeout_ms=1500, heartbeat_interval_ms=50)

    monkeypatch.setattr("edge.bus.results.AIOKafkaConsumer", consumer)


@pytest.fixture
async def topic(make_topic: MakeTopic) -> str:
    return await make_topic("scratches")


async def publish(kafka: KafkaSettings, topic: str, *numbers: int) -> None:
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, value=encode_record(Scratch(number))) for number in numbers])


def numbered(topic: str, number: int) -> Record:
    return Record(topic, value=encode_record(Scratch(number)), key=str(number).encode())


async def publish_raw(kafka: KafkaSettings, topic: str, value: bytes) -> None:
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, value=value)])


async def committed(kafka: KafkaSettings, topic: str, group: str) -> int | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=group)
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()


async def take(subscription: Subscription[Scratch], count: int) -> list[int]:
    async with asyncio.timeout(10):
        return [(await anext(subscription)).number for _ in range(count)]


async def test_without_a_group_only_what_comes_is_read(kafka: KafkaSettings, topic: str) -> None:
    """Whoever looks on sees every record from the moment on at which the subscription is entered."""
    await publish(kafka, topic, 1)
    async with Subscription(kafka, topic, Scratch) as scratches:
        await publish(kafka, topic, 2, 3)
        assert await take(scratches, 2) == [2, 3]


async def test_from_the_beginning_all_is_read(kafka: KafkaSettings, topic: str) -> None:
    """Asked to, a subscription begins with the oldest record."""
    await publish(kafka, topic, 1, 2)
    async with Subscription(kafka, topic, Scratch, from_beginning=True) as scratches:
        assert await take(scratches, 2) == [1, 2]


async def test_a_group_goes_on_where_it_stopped(kafka: KafkaSettings, topic: str) -> None:
    """Left without an exception, all records that were handed out count as handled."""
    group = f"{kafka.group_id}-map"
    await publish(kafka, topic, 1, 2, 3)
    async with Subscription(kafka, topic, Scratch, group_id=group, from_beginning=True) as scratches:
        assert await take(scratches, 2) == [1, 2]
    assert await committed(kafka, topic, group) == 2
    async with Subscription(kafka, topic, Scratch, group_id=group) as scratches:
        assert await take(scratches, 1) == [3]


async def test_a_record_that_was_not_handled_comes_again(kafka: KafkaSettings, topic: str) -> None:
    """Left by an exception, the record in hand is not committed; those before it are."""
    group = f"{kafka.group_id}-map"
    await publish(kafka, topic, 1, 2, 3)

    async def handle() -> None:
        async with Subscription(kafka, topic, Scratch, group_id=group, from_beginning=True) as scratches:
            async for scratch in scratches:
                if scratch.number == 2:
                    raise RuntimeError("the archive is full")

    with pytest.raises(RuntimeError, match="full"):
        await handle()
    assert await committed(kafka, topic, group) == 1


async def test_what_is_handled_is_committed_while_waiting_for_more(
    kafka: KafkaSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet topic does not delay the commit of what came before."""
    monkeypatch.setattr("edge.bus.results._COMMIT_INTERVAL_S", 0.05)
    group = f"{kafka.group_id}-map"
    await publish(kafka, topic, 1)
    async with Subscription(kafka, topic, Scratch, group_id=group, from_beginning=True) as scratches:
        assert await take(scratches, 1) == [1]
        waiting = asyncio.create_task(anext(scratches))
        async with asyncio.timeout(5):
            while await committed(kafka, topic, group) != 1:
                pass
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_new_group_misses_nothing_even_if_it_crashes_at_once(
    kafka: KafkaSettings, topic: str
) -> None:
    """A group that reads from now on keeps this 'now', though it has handled no record yet."""
    group = f"{kafka.group_id}-map"
    await publish(kafka, topic, 1)
    with pytest.raises(RuntimeError, match="crash"):
        async with Subscription(kafka, topic, Scratch, group_id=group):
            raise RuntimeError("crash")
    await publish(kafka, topic, 2)
    async with Subscription(kafka, topic, Scratch, group_id=group) as scratches:
        assert await take(scratches, 1) == [2]


async def test_when_a_member_joins_the_group_loses_nothing(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """Two members share the partitions, and between them see every record."""
    topic, group = await make_topic("two", 2), f"{kafka.group_id}-map"
    seen_by_first: set[int] = set()
    seen_by_second: set[int] = set()

    async def handle(seen: set[int]) -> None:
        async with Subscription(kafka, topic, Scratch, group_id=group, from_beginning=True) as scratches:
            async for scratch in scratches:
                seen.add(scratch.number)

    async with Publisher(kafka) as publisher, asyncio.TaskGroup() as members:
        first = members.create_task(handle(seen_by_first))
        await publisher.publish([numbered(topic, number) for number in range(20)])
        await until(lambda: seen_by_first)
        second = members.create_task(handle(seen_by_second))
        for number in itertools.count(20):
            await publisher.publish([numbered(topic, number)])
            if seen_by_second:
                break
        await until(lambda: seen_by_first | seen_by_second == set(range(number + 1)))
        first.cancel()
        second.cancel()


@pytest.mark.parametrize("value", [b"no json", b'{"number": "one"}', b"\xff", b""])
async def test_a_bad_record_is_named(kafka: KafkaSettings, topic: str, value: bytes) -> None:
    """What cannot be decoded raises an error that tells where the record lies."""
    await publish_raw(kafka, topic, value)
    async with Subscription(kafka, topic, Scratch, from_beginning=True) as scratches:
        with pytest.raises(RecordError, match=rf"{topic}:0:0: .*Scratch"):
            await take(scratches, 1)


async def test_a_bad_record_can_be_passed_over(kafka: KafkaSettings, topic: str) -> None:
    """With `skip`, bad records are in the log and the others come."""
    await publish(kafka, topic, 1)
    await publish_raw(kafka, topic, b"no json")
    await publish(kafka, topic, 2)
    async with Subscription(kafka, topic, Scratch, from_beginning=True, bad_records="skip") as scratches:
        with capture_logs() as log:
            assert await take(scratches, 2) == [1, 2]
    assert [line["record"] for line in log if line["log_level"] == "warning"] == [f"{topic}:0:1"]


async def test_a_missing_topic_is_named(kafka: KafkaSettings) -> None:
    """Subscribing to a topic that does not exist says which."""
    with pytest.raises(MissingTopicError, match=r"no-such-topic"):
        async with Subscription(kafka, "no-such-topic", Scratch):
            pass


@pytest.fixture
def broker() -> Iterator[MockCluster]:
    """A broker of the test's own, which can be made to fail."""
    with MockCluster() as cluster:
        cluster.create_topic("scratches")
        yield cluster


@pytest.mark.parametrize("request_kind", [COMMIT, JOIN_GROUP])
async def test_a_group_that_is_not_for_us_is_an_error(broker: MockCluster, request_kind: int) -> None:
    """Without the right to join or to commit, the error names topic and address."""
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    broker.fail_requests(request_kind, *[GROUP_AUTHORIZATION_FAILED] * 3)
    with pytest.raises(BusError, match=rf"topic scratches at {broker.bootstrap_servers}.*Authorization"):
        async with Subscription(kafka, "scratches", Scratch, group_id="map"):
            pass
