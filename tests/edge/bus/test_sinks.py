"""At least once and exactly once: what becomes of results, on Apache Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ProducerFenced

from edge.bus.publisher import Publisher
from edge.bus.record import FrameResults, Record
from edge.bus.sinks import AtLeastOnce, ExactlyOnce, Sink
from edge.bus.source import FrameSource
from edge.bus.topics import ensure_topics
from edge.bus.transactions import Transactions, UnclaimedError
from edge.contracts.frame import RawFrame
from edge.errors import PublishError
from edge.settings import KafkaSettings
from tests.support.any_broker import AnyBroker
from tests.support.polling import take

MakeTopic = Callable[..., Awaitable[str]]


@pytest.fixture
def any_broker(apache_kafka: str) -> AnyBroker:
    """Kafka alone: the mock cluster knows no transactions over offsets."""
    return AnyBroker(apache_kafka)


@pytest.fixture(params=["at_least_once", "exactly_once"])
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def opened(kafka: KafkaSettings, delivery: str) -> AsyncIterator[tuple[FrameSource, Sink]]:
    """A source and the sink behind it."""
    if delivery == "at_least_once":
        async with Publisher(kafka) as publisher, FrameSource(kafka) as source:
            yield source, AtLeastOnce(publisher, source)
    else:
        async with (
            Transactions(kafka) as transactions,
            FrameSource(kafka, transactions=transactions) as source,
        ):
            yield source, ExactlyOnce(transactions, source)


@pytest.fixture
async def topics(kafka: KafkaSettings, make_topic: MakeTopic) -> list[str]:
    """Two cameras with five frames each, and the topics for results."""
    await ensure_topics(kafka)
    names = [await make_topic("frames.cam1"), await make_topic("frames.cam2")]
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(name, str(n).encode()) for n in range(5) for name in names])
    return names


def results_of(kafka: KafkaSettings, frames: list[RawFrame]) -> list[FrameResults]:
    """One record a frame, which says which frame it is of."""
    return [
        FrameResults(frame.origin, [Record(kafka.inspections_topic, frame.origin.id.encode())])
        for frame in frames
    ]


async def published(kafka: KafkaSettings) -> list[str]:
    """What a consumer of committed records sees."""
    consumer = AIOKafkaConsumer(
        kafka.inspections_topic,
        bootstrap_servers=kafka.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    values: list[str] = []
    async with consumer:
        (partition,) = consumer.assignment()
        (end,) = (await consumer.end_offsets([partition])).values()
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                values += [(record.value or b"").decode() for record in records]
    return values


async def committed(kafka: KafkaSettings, topic: str) -> int | None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    consumer.assign([TopicPartition(topic, 0)])
    async with consumer:
        position: int | None = await consumer.committed(TopicPartition(topic, 0))
    return position


async def test_what_is_delivered_is_published_and_done(
    kafka: KafkaSettings, topics: list[str], delivery: str
) -> None:
    """Every result is on its topic once, every frame is done, and the group stands behind the last."""
    async with opened(kafka, delivery) as (source, sink):
        frames = await take(source, 10)
        delivered = await sink.deliver(results_of(kafka, frames[:4]))
        delivered |= await sink.deliver(results_of(kafka, frames[4:]))
        await source.commit()
        assert source.in_flight == 0
    assert delivered == {frame.origin for frame in frames}
    assert sorted(await published(kafka)) == sorted(frame.origin.id for frame in frames)
    assert [await committed(kafka, topic) for topic in topics] == [5, 5]


async def test_what_was_given_up_is_not_published(
    kafka: KafkaSettings, topics: list[str], delivery: str
) -> None:
    """Frames whose partition went away while they were in flight are dropped: somebody reads them again."""
    del topics
    async with opened(kafka, delivery) as (source, sink):
        frames = await take(source, 10)
        source._ledger.forget(source.assigned)
        assert await sink.deliver(results_of(kafka, frames)) == frozenset()
    assert await published(kafka) == []


async def test_a_record_refused_for_good_has_its_substitute(
    kafka: KafkaSettings, topics: list[str], delivery: str
) -> None:
    """The others of its frames are published all the same, and without a substitute the error is raised."""
    del topics
    huge = b"0" * 2 * kafka.max_message_bytes
    async with opened(kafka, delivery) as (source, sink):
        frames = await take(source, 10)
        results = results_of(kafka, frames[:9])
        substitute = Record(kafka.inspections_topic, b"substitute")
        results[2] = FrameResults(
            frames[2].origin, [Record(kafka.inspections_topic, huge, substitute=lambda _: substitute)]
        )
        assert len(await sink.deliver(results)) == 9
        hopeless = FrameResults(frames[9].origin, [Record(kafka.inspections_topic, huge)])
        with pytest.raises(PublishError, match=kafka.inspections_topic):
            await sink.deliver([hopeless])
    values = await published(kafka)
    assert sorted(values) == sorted(
        "substitute" if frame is frames[2] else frame.origin.id for frame in frames[:9]
    )


async def test_an_aborted_transaction_shows_nothing_and_commits_nothing(
    kafka: KafkaSettings, topics: list[str]
) -> None:
    """A daemon that ends within a transaction leaves neither results nor offsets behind."""
    partition = TopicPartition(topics[0], 0)
    async with Transactions(kafka) as transactions:
        await transactions.claim(partition)
        producer = transactions._producers[partition]
        await producer.begin_transaction()
        await producer.send_and_wait(kafka.inspections_topic, b"half")
        await producer.send_offsets_to_transaction({partition: 5}, kafka.group_id)
        async with Transactions(kafka) as successor:
            await successor.claim(partition)
            assert await committed(kafka, topics[0]) is None
            await successor.publish(partition, [Record(kafka.inspections_topic, b"whole")], 3)
            with pytest.raises(ProducerFenced):
                await producer.commit_transaction()
            with pytest.raises(UnclaimedError):
                await transactions.publish(partition, [Record(kafka.inspections_topic, b"late")], 4)
    assert await published(kafka) == ["whole"]
    assert await committed(kafka, topics[0]) == 3


async def test_a_transaction_that_happened_after_all_is_not_repeated(
    kafka: KafkaSettings, topics: list[str]
) -> None:
    """Its answer was lost; the claim that follows tells where the group stands, and only the rest is sent."""
    partition = TopicPartition(topics[0], 0)
    async with Transactions(kafka) as transactions, FrameSource(kafka, transactions=transactions) as source:
        frames = [frame for frame in await take(source, 10) if frame.origin.topic == topics[0]]
        first = results_of(kafka, frames[:2])
        await transactions.publish(partition, [record for each in first for record in each.records], 2)
        await transactions.release([partition])  # as after an answer that never came
        delivered = await ExactlyOnce(transactions, source).deliver(results_of(kafka, frames[:4]))
    assert delivered == {frame.origin for frame in frames[:4]}
    assert await published(kafka) == [frame.origin.id for frame in frames[:4]]
    assert await committed(kafka, topics[0]) == 4


async def test_whoever_got_further_meanwhile_is_followed(kafka: KafkaSettings, topics: list[str]) -> None:
    """Another daemon that finished frames which we have not even read: we go on behind them."""
    partition = TopicPartition(topics[0], 0)
    async with Transactions(kafka) as transactions, FrameSource(kafka, transactions=transactions) as source:
        await source.ready()
        frames = await take(source, 2)
        mine = [frame for frame in frames if frame.origin.topic == topics[0]]
        async with Transactions(kafka) as other:
            await other.claim(partition)
            await other.publish(partition, [Record(kafka.inspections_topic, b"by the other")], 4)
        sink = ExactlyOnce(transactions, source)
        assert len(await sink.deliver(results_of(kafka, mine))) == 1
        rest = [frame for frame in await take(source, 5) if frame.origin.topic == topics[0]]
        assert [frame.origin.offset for frame in rest] == [4]
    assert await published(kafka) == ["by the other"]
