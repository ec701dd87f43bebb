"""Frames in, while something is wrong; over a broker of the test's own, which can be made to fail."""

import struct
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException, TopicAuthorizationFailedError
from aiokafka.record.util import calc_crc32c
from structlog.testing import capture_logs

from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.contracts.frame import RawFrame
from edge.errors import BusError
from edge.settings import KafkaSettings

Until = Callable[..., Awaitable[object]]

JOIN_GROUP, COMMIT = 11, 8  # Kafka's numbers
GROUP_AUTHORIZATION_FAILED, COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST = 30, 15, 42
QUICK = {"discovery_interval_s": 0.05, "watch_interval_s": 0.05, "heartbeat_interval_ms": 50}

CRC_AT, CHECKED_FROM = 17, 21  # bytes of a record batch, format 2


@pytest.fixture
def broker() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        cluster.create_topic("frames.cam1")
        yield cluster


@pytest.fixture
def settings(broker: MockCluster) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap_servers)


async def take(source: FrameSource, count: int) -> list[RawFrame]:
    frames: list[RawFrame] = []
    while len(frames) < count:
        frames += await source.poll(count - len(frames))
    return frames


async def publish(settings: KafkaSettings, *values: bytes) -> None:
    async with Publisher(settings) as publisher:
        await publisher.publish([Record("frames.cam1", value=value) for value in values])


async def publish_unreadable(settings: KafkaSettings, *, header: bytes | None) -> None:
    """Publish a batch of three records; the second has a header of this name, or the checksum is wrong."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    await producer.start()
    try:
        batch = producer.create_batch()
        for value, headers in ((b"1", []), (b"2", [("NAME", b"")]), (b"3", [])):
            batch.append(key=None, value=value, timestamp=None, headers=headers)
        raw = bytearray(batch._build())
        if header is not None:
            at = raw.index(b"NAME")
            raw[at : at + 4] = header
        checksum = calc_crc32c(bytes(raw[CHECKED_FROM:])) if header is not None else 0
        struct.pack_into(">I", raw, CRC_AT, checksum)
        batch._buffer = bytes(raw)
        await (await producer.send_batch(batch, "frames.cam1", partition=0))
    finally:
        await producer.stop()


async def test_a_header_name_of_any_bytes_holds_up_nothing(settings: KafkaSettings) -> None:
    """A record that cannot be read goes on as its error alone, and so does the rest of its batch."""
    await publish(settings, b"0")
    await publish_unreadable(settings, header=b"\xff\xfe\xfd\xfc")
    await publish(settings, b"4")
    async with FrameSource(settings, **QUICK) as source:
        with capture_logs() as log:
            frames = await take(source, 5)
        for frame in frames:
            source.done(frame.origin)
        await source.commit()
    assert [frame.value for frame in frames] == [b"0", b"1", None, None, b"4"]
    assert [frame.error is None for frame in frames] == [True, True, False, False, True]
    assert "utf-8" in str(frames[2].error)
    assert [frame.origin.offset for frame in frames] == [0, 1, 2, 3, 4]
    assert [line["frame"] for line in log if line["log_level"] == "error"] == [
        "frames.cam1:0:2",
        "frames.cam1:0:3",
    ]


async def test_records_with_a_bad_checksum_hold_up_nothing(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """A damaged batch goes on as so many frames that are errors; other cameras are not touched."""
    broker.create_topic("frames.cam2")
    async with FrameSource(settings, **QUICK) as source, Publisher(settings) as publisher:
        await publish_unreadable(settings, header=None)
        await publisher.publish([Record("frames.cam1", value=b"4"), Record("frames.cam2", value=b"5")])
        frames = await take(source, 5)
    assert sorted(frame.value or b"" for frame in frames) == [b"", b"", b"", b"4", b"5"]
    assert sum("CRC" in (frame.error or "") for frame in frames) == 3


async def test_what_was_damaged_on_its_way_is_fetched_again(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that can be read at the second attempt is a frame like any other."""
    await publish(settings, b"0", b"1")
    damaged = iter([True])
    unpack = PartitionRecords._unpack_records

    def unpack_damaged(self: PartitionRecords) -> Iterator[object]:
        tp = self._tp  # as in aiokafka, where the partition is told by this name alone
        if next(damaged, False):
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        yield from unpack(self)

    monkeypatch.setattr(PartitionRecords, "_unpack_records", unpack_damaged)
    async with FrameSource(settings, **QUICK) as source:
        with capture_logs() as log:
            frames = await take(source, 2)
    assert [frame.value for frame in frames] == [b"0", b"1"]
    assert [line["log_level"] for line in log] == ["warning"]


async def test_an_error_behind_frames_does_not_drop_them(
    settings: KafkaSettings, broker: MockCluster, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """Frames taken before another camera's error are handed out, and the error comes with the next poll."""
    broker.create_topic("frames.cam2")
    await publish(settings, b"0")
    async with FrameSource(settings, **QUICK) as source:
        await until(lambda: TopicPartition("frames.cam1", 0) in source._consumer._fetcher._records)
        getmany = AIOKafkaConsumer.getmany

        async def failing(self: AIOKafkaConsumer, *partitions: TopicPartition, **named: int) -> object:
            if partitions == (TopicPartition("frames.cam2", 0),):
                raise TopicAuthorizationFailedError("frames.cam2")
            return await getmany(self, *partitions, **named)

        monkeypatch.setattr(AIOKafkaConsumer, "getmany", failing)
        frames = await source.poll(10)
        monkeypatch.setattr(AIOKafkaConsumer, "getmany", getmany)
        assert [frame.value for frame in frames] == [b"0"]
        with pytest.raises(BusError, match="TopicAuthorizationFailed"):
            await source.poll(10)
        source.done(frames[0].origin)
        assert source.in_flight == 0


async def test_a_lost_broker_is_noticed_and_found_again(
    settings: KafkaSettings, broker: MockCluster, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source tells that the broker is gone, says so once, and goes on when it is back."""
    monkeypatch.setattr("edge.bus.watch._ANSWER_TIMEOUT_S", 0.5)
    async with FrameSource(settings, **QUICK) as source:
        await until(source.lag)
        assert source.reachable
        with capture_logs() as log:
            broker.set_down()
            await until(lambda: not source.reachable)
            broker.set_up()
            await until(lambda: source.reachable)
        assert [line["event"] for line in log if line["event"].startswith("broker")] == [
            "broker does not answer",
            "broker answers again",
        ]
        await publish(settings, b"after")
        assert [frame.value for frame in await take(source, 1)] == [b"after"]


async def test_a_commit_is_retried_while_the_coordinator_moves(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """Errors that pass do not reach whoever commits."""
    await publish(settings, b"0")
    async with FrameSource(settings, **QUICK) as source:
        (frame,) = await take(source, 1)
        source.done(frame.origin)
        broker.fail_requests(COMMIT, COORDINATOR_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE)
        await source.commit()
        assert source._ledger.committable() == {}


async def test_a_commit_that_is_refused_for_good_is_an_error(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """Without the right to commit, the daemon does not go on as if it had."""
    await publish(settings, b"0")
    async with FrameSource(settings, **QUICK) as source:
        (frame,) = await take(source, 1)
        source.done(frame.origin)
        broker.fail_requests(COMMIT, GROUP_AUTHORIZATION_FAILED)
        with pytest.raises(BusError, match=r"stripsight.*GroupAuthorizationFailed"):
            await source.commit()


async def test_a_group_that_may_not_be_joined_is_an_error(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """Without the right to join, the daemon does not start, and says which group that is."""
    broker.fail_requests(JOIN_GROUP, *[GROUP_AUTHORIZATION_FAILED] * 3)
    with pytest.raises(BusError, match=r"group stripsight at .*GroupAuthorizationFailed"):
        async with FrameSource(settings, **QUICK):
            pass


async def test_a_join_that_goes_wrong_is_tried_again(
    settings: KafkaSettings, broker: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that aiokafka did not expect does not end the daemon."""
    monkeypatch.setattr("edge.bus.membership._PAUSE_AFTER_ERROR_S", 0.01)
    broker.fail_requests(JOIN_GROUP, INVALID_REQUEST)
    async with FrameSource(settings, **QUICK) as source:
        assert source.assigned


async def test_errors_that_last_end_the_daemon(
    settings: KafkaSettings, broker: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every attempt to join fails, poll() says so in the end."""
    monkeypatch.setattr("edge.bus.membership._PAUSE_AFTER_ERROR_S", 0.001)
    broker.fail_requests(JOIN_GROUP, *[INVALID_REQUEST] * 100)
    with pytest.raises(BusError, match="InvalidRequest"):
        async with FrameSource(settings, **QUICK):
            pass


async def test_a_topic_created_anew_is_read_from_its_beginning(settings: KafkaSettings) -> None:
    """When offsets go back, as after a topic was deleted and created, the source says so and goes on."""
    await publish(settings, b"0", b"1")
    async with FrameSource(settings, **QUICK) as source:
        await take(source, 2)
        (partition,) = source.assigned
        source._consumer.seek(partition, 0)
        with capture_logs() as log:
            frames = await take(source, 2)
        assert [frame.origin.offset for frame in frames] == [0, 1]
        assert [line["event"] for line in log] == ["offsets went back"]


async def test_a_defect_of_ours_is_not_kept_quiet(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """What fails in the background, poll() raises."""

    async def broken(_self: object) -> None:
        raise ZeroDivisionError

    async with FrameSource(settings, **QUICK) as source:
        monkeypatch.setattr("edge.bus.watch.BrokerWatch._ask", broken)
        await until(lambda: source._failure)
        with pytest.raises(BusError, match="ZeroDivisionError"):
            await source.poll(1)
