"""Frames in: what the pipeline may rely on, over any broker."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.contracts.frame import RawFrame
from edge.errors import MissingTopicError, OffsetError
from edge.settings import KafkaSettings
from tests.support.any_broker import AnyBroker
from tests.support.polling import take

MakeTopic = Callable[..., Awaitable[str]]
Until = Callable[..., Awaitable[object]]

pytestmark = pytest.mark.usefixtures("mock_groups")

QUICK = {
    "discovery_interval_s": 0.05,
    "watch_interval_s": 0.05,
    "heartbeat_interval_ms": 50,
}


async def publish(kafka: KafkaSettings, *records: Record) -> None:
    async with Publisher(kafka) as publisher:
        await publisher.publish(records)


def numbered(topic: str, count: int, start: int = 0) -> list[Record]:
    return [Record(topic, value=str(number).encode(), key=b"cam") for number in range(start, start + count)]


def values(frames: list[RawFrame]) -> list[int]:
    return [int(frame.value or b"") for frame in frames]


async def committed(kafka: KafkaSettings, topic: str) -> int | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id)
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()


async def test_a_frame_comes_as_it_was_published(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """Key, headers of any bytes and the image itself arrive unchanged, and the origin names their place."""
    topic = await make_topic("frames.cam1")
    headers = (("ce_linename", bytes(range(256))), ("empty", b""))
    await publish(kafka, Record(topic, value=b"\xff\xd8\xff", key=b"cam1", headers=headers))
    async with FrameSource(kafka) as source:
        (frame,) = await take(source, 1)
    assert (frame.key, frame.headers, frame.value) == (b"cam1", headers, b"\xff\xd8\xff")
    assert frame.origin.id == f"{topic}:0:0"
    assert frame.timestamp_ms > 0


async def test_frames_of_the_largest_size_pass(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """An image of max_message_bytes goes through producer, broker and consumer."""
    topic = await make_topic("frames.cam1")
    kafka = kafka.model_copy(update={"max_message_bytes": 3 * 2**20})
    image = b"\x00" * kafka.max_message_bytes
    async with FrameSource(kafka) as source:
        await publish(kafka, Record(topic, value=image))
        (frame,) = await take(source, 1)
    assert frame.value == image


async def test_order_within_a_camera_and_turns_between_cameras(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """Frames of one camera keep their order, and a camera with many frames does not hold up one with few."""
    flood, trickle = await make_topic("frames.flood"), await make_topic("frames.trickle")
    async with FrameSource(kafka, **QUICK) as source:
        await publish(kafka, *numbered(flood, 200), *numbered(trickle, 5))
        await until(lambda: len(source._consumer._fetcher._records) == 2)  # both are fetched
        frames = await take(source, 205)
    assert values([frame for frame in frames if frame.origin.topic == flood]) == list(range(200))
    assert values([frame for frame in frames if frame.origin.topic == trickle]) == list(range(5))
    assert {frame.origin.topic for frame in frames[100:]} == {flood}


async def test_idle_cameras_do_not_spoil_the_turns(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """With little room, and with cameras that have nothing, those that have something still take turns."""
    for number in range(4):
        await make_topic(f"frames.idle{number}")
    flood, trickle = await make_topic("frames.flood"), await make_topic("frames.trickle")
    async with FrameSource(kafka, **QUICK) as source:
        await publish(kafka, *numbered(flood, 200), *numbered(trickle, 20))
        await until(lambda: len(source._consumer._fetcher._records) == 2)  # both are fetched
        frames = [frame for _ in range(20) for frame in await source.poll(2)]
    assert values([frame for frame in frames if frame.origin.topic == trickle]) == list(range(20))
    assert values([frame for frame in frames if frame.origin.topic == flood]) == list(range(20))


async def test_a_frame_may_end_the_turn_of_its_camera(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """Behind a frame that ends the turn no more is taken of that camera in a call; of the others it is."""
    first, second = await make_topic("frames.cam1"), await make_topic("frames.cam2")
    async with FrameSource(kafka, **QUICK) as source:
        await publish(kafka, *numbered(first, 6), *numbered(second, 6))
        await until(lambda: len(source._consumer._fetcher._records) == 2)
        polls = [await source.poll(50, ends_turn=lambda frame: frame.value in (b"1", b"4")) for _ in range(3)]
    for topic in (first, second):
        taken = [values([frame for frame in frames if frame.origin.topic == topic]) for frames in polls]
        assert taken == [[0, 1], [2, 3, 4], [5]]


async def test_commits_stand_before_the_first_frame_that_is_not_done(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """Frames done out of order are committed only as far as all before them are done."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 4))
    async with FrameSource(kafka) as source:
        frames = await take(source, 4)
        source.done(frames[0].origin)
        source.done(frames[2].origin)
        await source.commit()
        assert await committed(kafka, topic) == 1
        source.done(frames[1].origin)
        await source.commit()
        assert await committed(kafka, topic) == 3
        assert source.in_flight == 1


async def test_what_was_not_done_is_read_again(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """After a daemon that ended early, the next one begins with the first frame that was not committed."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 5))
    async with FrameSource(kafka, **QUICK) as source:
        frames = await take(source, 5)
        for frame in frames[:2]:
            source.done(frame.origin)
        await source.commit()
    async with FrameSource(kafka, **QUICK) as source:
        assert values(await take(source, 3)) == [2, 3, 4]


async def test_finishing_a_frame_that_is_not_in_flight_is_an_error(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """A frame is done once."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 1))
    async with FrameSource(kafka) as source:
        (frame,) = await take(source, 1)
        source.done(frame.origin)
        with pytest.raises(OffsetError, match=f"{topic}:0:0"):
            source.done(frame.origin)


async def test_a_full_pipeline_takes_nothing(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """Asked for none, the source gives none, and then all of them."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 3))
    async with FrameSource(kafka) as source:
        assert values(await take(source, 1)) == [0]
        assert await source.poll(0) == []
        assert values(await take(source, 2)) == [1, 2]


async def test_paused_partitions_wait_and_lose_nothing(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """From a paused partition nothing is taken, from the others everything; resumed, it goes on in order."""
    held, other = await make_topic("frames.held"), await make_topic("frames.other")
    async with FrameSource(kafka, **QUICK) as source:
        await publish(kafka, *numbered(held, 10), *numbered(other, 10))
        await until(lambda: sum(source.lag().values()) == 20)
        source.pause(TopicPartition(held, 0))
        frames = await take(source, 10)
        assert {frame.origin.topic for frame in frames} == {other}
        assert await source.poll(5) == []
        source.pause(TopicPartition(other, 0))
        assert await source.poll(5) == []
        source.resume(TopicPartition(held, 0), TopicPartition(other, 0))
        assert values(await take(source, 10)) == list(range(10))


async def test_lag_counts_what_is_not_done(kafka: KafkaSettings, make_topic: MakeTopic, until: Until) -> None:
    """The lag grows by what is published, even while nothing is taken, and shrinks by what is done."""
    topic = await make_topic("frames.cam1")
    async with FrameSource(kafka, **QUICK) as source:
        assert source.assigned == {TopicPartition(topic, 0)}
        await publish(kafka, *numbered(topic, 4))
        await until(lambda: source.lag() == {(topic, 0): 4})
        frames = await take(source, 4)
        assert source.lag() == {(topic, 0): 4}
        for frame in frames:
            source.done(frame.origin)
        assert source.lag() == {(topic, 0): 0}
        await publish(kafka, *numbered(topic, 3))
        await until(lambda: source.lag() == {(topic, 0): 3})


async def test_a_new_camera_is_found(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """A topic that appears later and fits the pattern is read from its beginning; dead letters never are."""
    async with FrameSource(kafka, **QUICK) as source:
        assert await source.poll(1) == []
        assert not source.assigned
        first = await make_topic("frames.cam1")
        await make_topic("frames.dead-letter")
        await publish(kafka, Record(kafka.dead_letter_topic, value=b"-1"), *numbered(first, 2))
        assert values(await take(source, 2)) == [0, 1]
        assert source.assigned == {TopicPartition(first, 0)}


async def test_a_new_camera_disturbs_no_other(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """What is in flight when a camera appears is finished and committed, so that no frame is read twice."""
    first = await make_topic("frames.cam1")
    await publish(kafka, *numbered(first, 2))
    async with FrameSource(kafka, **QUICK) as source:
        frames = await take(source, 2)
        second = await make_topic("frames.cam2")
        await publish(kafka, *numbered(first, 1, start=2), *numbered(second, 1, start=10))
        await until(lambda: not source.assigned)
        assert await source.poll(1) == []
        for frame in frames:
            source.done(frame.origin)
        assert sorted(values(await take(source, 2))) == [2, 10]
        assert await committed(kafka, first) == 2


async def test_a_source_without_cameras_becomes_ready_with_the_first(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """Readiness waits for the first partition, whenever that comes."""
    async with FrameSource(kafka, **QUICK) as source:
        waiting = asyncio.create_task(source.ready())
        assert await source.poll(1) == []
        assert not waiting.done()
        topic = await make_topic("frames.cam1")
        async with asyncio.timeout(10):
            await waiting
        assert source.assigned == {TopicPartition(topic, 0)}


async def test_an_explicit_topic_that_is_missing_is_named(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """A daemon told to read a topic that does not exist says which."""
    topic, missing = await make_topic("frames.cam1"), f"{kafka.group_id}.frames.cam2"
    kafka = kafka.model_copy(update={"frame_topics": [topic, missing]})
    with pytest.raises(MissingTopicError, match=missing):
        async with FrameSource(kafka):
            pass


async def test_explicit_topics_are_read_and_no_others(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """With a list of topics the pattern does not count."""
    topic, other = await make_topic("elsewhere"), await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 2), *numbered(other, 2, start=10))
    kafka = kafka.model_copy(update={"frame_topics": [topic]})
    async with FrameSource(kafka, **QUICK) as source:
        assert values(await take(source, 2)) == [0, 1]
        assert source.assigned == {TopicPartition(topic, 0)}
        assert await source.poll(1) == []


async def test_a_rebalance_between_two_daemons_loses_nothing(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until, any_broker: AnyBroker
) -> None:
    """A second daemon takes its share once the first has finished and committed what it had in flight."""
    topic = await make_topic("frames.cam1", 2)
    records = [Record(topic, value=str(number).encode(), key=str(number).encode()) for number in range(20)]
    await publish(kafka, *records)
    async with FrameSource(kafka, **QUICK) as first:
        before = await take(first, 10)
        joining = asyncio.create_task(FrameSource(kafka, **QUICK).__aenter__())
        await until(lambda: not first.assigned)
        for frame in before:
            first.done(frame.origin)
        second = await joining
        await until(lambda: len(first.assigned) == 1 and len(second.assigned) == 1)
        after: list[RawFrame] = []
        async with asyncio.timeout(20):
            while set(values(before + after)) != set(range(20)):
                after += [*await first.poll(20), *await second.poll(20)]
        await second.__aexit__(None, None, None)
    if any_broker.is_kafka:  # the mock cluster refuses commits while it rebalances, so that frames come twice
        assert len(before + after) == 20


async def test_a_frame_finished_too_late_for_a_rebalance_is_read_again(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until
) -> None:
    """When a frame outlasts the time for releasing partitions, it comes again; the late end does no harm."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 1))
    async with FrameSource(kafka, **QUICK, release_timeout_s=0.1) as source:
        (late,) = await take(source, 1)
        await make_topic("frames.cam2")
        await until(lambda: len(source.assigned) == 2)
        (again,) = await take(source, 1)
        assert again.origin == late.origin
        source.done(late.origin)
        source.done(again.origin)
        assert source.in_flight == 0
        await source.commit()
        assert await committed(kafka, topic) == 1


async def test_a_slow_pipeline_stays_in_its_group(
    kafka: KafkaSettings, make_topic: MakeTopic, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that does not poll stays a member, where another consumer has long been thrown out."""
    topic = await make_topic("frames.cam1")
    await publish(kafka, *numbered(topic, 1))
    limit = {"max_poll_interval_ms": 300, "heartbeat_interval_ms": 100}
    plain = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, group_id=f"{kafka.group_id}-plain", **limit
    )

    def consumer_with_limit(**arguments: object) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**(arguments | limit))

    monkeypatch.setattr("edge.bus.source.AIOKafkaConsumer", consumer_with_limit)
    monkeypatch.setattr("edge.bus.membership._POLL_MS", 100)
    async with FrameSource(kafka, **QUICK) as source, plain:
        (frame,) = await take(source, 1)
        generation = source._consumer._coordinator.generation
        await until(lambda: plain._coordinator.generation < 0)
        assert source._consumer._coordinator.generation == generation
        source.done(frame.origin)
        await source.commit()
    assert await committed(kafka, topic) == 1
