"""Records out: acknowledged, in order, and never given up while there is hope."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from structlog.testing import capture_logs

from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.errors import PublishError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]
Until = Callable[..., Awaitable[object]]

PRODUCE, NOT_LEADER, OUT_OF_ORDER, TOO_LARGE = 0, 6, 45, 10  # Kafka's numbers


@pytest.fixture
def broker() -> Iterator[MockCluster]:
    """A broker of the test's own, which can be made to fail."""
    with MockCluster() as cluster:
        cluster.create_topic("defects")
        yield cluster


def settings_of(broker: MockCluster) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap_servers)


async def read(kafka: KafkaSettings, topic: str, count: int) -> list[bytes]:
    """Return the values of the first records of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.start()
    try:
        async with asyncio.timeout(10):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


def numbered(topic: str, count: int, start: int = 0) -> list[Record]:
    return [Record(topic, value=b"%d" % number, key=b"coil") for number in range(start, start + count)]


async def test_all_records_are_on_the_broker_when_publish_returns(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """The broker has every record of a call, in its order, and calls keep their order, too."""
    topic = await make_topic("defects")
    async with Publisher(kafka) as publisher:
        await asyncio.gather(
            publisher.publish(numbered(topic, 100)), publisher.publish(numbered(topic, 100, start=100))
        )
        await publisher.publish([])
        assert await read(kafka, topic, 200) == [b"%d" % number for number in range(200)]


async def test_a_record_without_key_and_value_is_published_as_empty(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """The dead letter of a frame with neither key nor value still gets through."""
    topic = await make_topic("dead")
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, value=None)])
    assert await read(kafka, topic, 1) == [b""]


async def test_a_record_that_is_too_large_is_refused_and_its_neighbours_are_not(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """The error names topic and size; the other records of the call are acknowledged."""
    topic = await make_topic("defects")
    kafka = kafka.model_copy(update={"max_message_bytes": 1000})
    large = Record(topic, value=bytes(200_000))
    async with Publisher(kafka) as publisher:
        first, second = numbered(topic, 2)
        with pytest.raises(PublishError, match=rf"{topic}: record of 200000 bytes refused"):
            await publisher.publish([first, large, second])
        await publisher.publish(numbered(topic, 1, start=2))
    assert await read(kafka, topic, 3) == [b"0", b"1", b"2"]


async def test_errors_that_pass_are_waited_out(broker: MockCluster) -> None:
    """While the leader moves, records wait; none is lost, none comes twice, and the order holds."""
    async with Publisher(settings_of(broker)) as publisher:
        broker.fail_requests(PRODUCE, NOT_LEADER, NOT_LEADER)
        await publisher.publish(numbered("defects", 10))
    assert await read(settings_of(broker), "defects", 10) == [b"%d" % number for number in range(10)]


async def test_a_broken_sequence_is_begun_anew(broker: MockCluster) -> None:
    """A producer whose sequence the broker does not accept is replaced, and said so."""
    async with Publisher(settings_of(broker)) as publisher:
        broker.fail_requests(PRODUCE, OUT_OF_ORDER)
        with capture_logs() as log:
            await publisher.publish(numbered("defects", 3))
        assert [line["error"] for line in log] == ["3 records not acknowledged: defects"]
    assert await read(settings_of(broker), "defects", 3) == [b"0", b"1", b"2"]


async def test_after_a_refusal_by_the_broker_publishing_goes_on(broker: MockCluster) -> None:
    """What the broker refuses for good is an error of that call alone."""
    async with Publisher(settings_of(broker)) as publisher:
        broker.fail_requests(PRODUCE, TOO_LARGE)
        with pytest.raises(PublishError, match="defects"):
            await publisher.publish(numbered("defects", 1))
        await publisher.publish(numbered("defects", 2, start=1))
    assert await read(settings_of(broker), "defects", 2) == [b"1", b"2"]


async def test_a_broker_that_comes_back_gets_all_records(
    broker: MockCluster, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """Records published while the broker is gone arrive when it is back."""
    attempts = []
    send = AIOKafkaProducer.send

    async def counted(self: AIOKafkaProducer, *arguments: object, **named: object) -> object:
        attempts.append(arguments)
        return await send(self, *arguments, **named)

    monkeypatch.setattr(AIOKafkaProducer, "send", counted)
    async with Publisher(settings_of(broker)) as publisher:
        broker.set_down()
        publishing = asyncio.create_task(publisher.publish(numbered("defects", 5)))
        await until(lambda: attempts)
        broker.set_up()
        async with asyncio.timeout(20):
            await publishing
    assert await read(settings_of(broker), "defects", 5) == [b"%d" % number for number in range(5)]


async def test_closing_does_not_wait_for_a_broker_that_is_gone(
    broker: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When publishing is cancelled while the broker is gone, closing takes no longer than its limit."""
    monkeypatch.setattr("edge.bus.producing._CLOSE_TIMEOUT_S", 0.1)
    async with asyncio.timeout(5), Publisher(settings_of(broker)) as publisher:
        broker.set_down()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await publisher.publish(numbered("defects", 1))
