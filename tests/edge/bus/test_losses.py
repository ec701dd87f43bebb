"""Frames that Kafka deleted before they were read: noticed, told and counted."""

from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from structlog.testing import capture_logs

from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.contracts.frame import RawFrame
from edge.settings import KafkaSettings
from tests.support.any_broker import AnyBroker
from tests.support.polling import take

MakeTopic = Callable[..., Awaitable[str]]
Until = Callable[..., Awaitable[object]]

QUICK = {"watch_interval_s": 0.05}


@pytest.fixture
def any_broker(apache_kafka: str) -> AnyBroker:
    """Retention is the real broker's; the mock cluster has none that can be asked for."""
    return AnyBroker(apache_kafka)


async def publish(kafka: KafkaSettings, topic: str, count: int, size_bytes: int = 10) -> None:
    """Publish so many frames."""
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, value=bytes(size_bytes), key=b"cam")] * count)


async def delete_before(kafka: KafkaSettings, topic: str, offset: int) -> None:
    """Delete a partition's oldest records, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def finish(source: FrameSource, frames: list[RawFrame]) -> None:
    """Let frames be done and committed."""
    for frame in frames:
        source.done(frame.origin)
    await source.commit()


async def test_frames_that_retention_took_from_under_a_lag_are_told(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """A daemon that is behind goes on with the oldest frame left; the log names what was lost, in offsets."""
    topic = await make_topic("frames.cam1")
    kafka = kafka.model_copy(update={"max_message_bytes": 1000})  # so that a fetch brings but a few
    large = kafka.model_copy(update={"max_message_bytes": 30_000})
    with capture_logs() as logs:
        async with FrameSource(kafka, **QUICK) as source:
            await publish(large, topic, 40, size_bytes=20_000)
            frames = await take(source, 1)
            await delete_before(kafka, topic, 30)
            while frames[-1].origin.offset < 39:
                frames += await source.poll(50)
            await until(lambda: source.lost()[topic])
            lost = source.lost()
    offsets = [frame.origin.offset for frame in frames]
    missing = sorted(set(range(40)) - set(offsets))
    assert len(missing) > 10
    assert lost == {topic: len(missing)}
    (told,) = [line for line in logs if line["event"].startswith("frames lost")]
    assert (told["topic"], told["partition"]) == (topic, 0)
    assert (told["first_offset"], told["last_offset"]) == (missing[0], missing[-1])


async def test_frames_that_were_deleted_while_the_daemon_was_down_are_told_once(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """What counts is where reading should have gone on, which is what was committed."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, topic, 12)
    async with FrameSource(kafka, **QUICK) as source:
        await finish(source, await take(source, 2))
    await delete_before(kafka, topic, 10)
    async with FrameSource(kafka, **QUICK) as source:
        frames = await take(source, 2)
        assert [frame.origin.offset for frame in frames] == [10, 11]
        await until(lambda: source.lost()[topic])
        assert source.lost() == {topic: 8}
        await finish(source, frames)
    await publish(kafka, topic, 1)
    async with FrameSource(kafka, **QUICK) as source:
        await take(source, 1)
        await until(lambda: not source._losses._gap_seen.is_set())
        assert source.lost() == {topic: 0}


async def test_a_new_group_has_lost_nothing(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """What was deleted before anybody of the group came was never its to read."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, topic, 5)
    await delete_before(kafka, topic, 3)
    async with FrameSource(kafka, **QUICK) as source:
        assert [frame.origin.offset for frame in await take(source, 2)] == [3, 4]
        await until(lambda: not source._losses._gap_seen.is_set())
        assert source.lost() == {topic: 0}


async def test_gaps_that_transactions_leave_are_no_loss(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """A camera that publishes in transactions leaves offsets without frames; what it takes back is none."""
    topic = await make_topic("frames.cam1")
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"{kafka.group_id}-camera"
    )
    await producer.start()
    try:
        for _ in range(4):
            async with producer.transaction():
                await producer.send_and_wait(topic, b"frame")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"taken back")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"frame")
    finally:
        await producer.stop()
    async with FrameSource(kafka, **QUICK) as source:
        frames = await take(source, 5)
        assert [frame.origin.offset for frame in frames] == [0, 2, 4, 6, 10]
        assert {frame.value for frame in frames} == {b"frame"}
        await until(lambda: not source._losses._gap_seen.is_set())
        assert source.lost() == {topic: 0}
