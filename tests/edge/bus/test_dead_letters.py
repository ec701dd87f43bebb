"""Dead letters: everything a frame had, and why it is here."""

from collections.abc import Awaitable, Callable

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edge.bus.dead_letters import dead_letter
from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.contracts.frame import FrameOrigin, Headers, RawFrame
from edge.errors import CorruptImageError, PublishError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]

PRODUCE, TOO_LARGE = 0, 10  # Kafka's numbers

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=5).map(tuple)


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=200),
    headers=headers,
    detail=st.text(),
)
def test_the_frame_is_untouched(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...], detail: str
) -> None:
    """Whatever bytes a frame has, its dead letter begins with them; origin, reason and error follow."""
    frame = RawFrame(FrameOrigin("frames.cam1", 3, 42), 1_700_000_000_000, key, headers, value)
    letter = dead_letter("frames.dead-letter", frame, CorruptImageError(detail))
    assert (letter.topic, letter.key, letter.value) == ("frames.dead-letter", key, value)
    assert letter.headers[: len(headers)] == headers
    assert letter.headers[len(headers) :] == (
        ("stripsight-origin-topic", b"frames.cam1"),
        ("stripsight-origin-partition", b"3"),
        ("stripsight-origin-offset", b"42"),
        ("stripsight-origin-timestamp-ms", b"1700000000000"),
        ("stripsight-reason", b"corrupt_image"),
        ("stripsight-error", detail[:1000].encode(errors="replace")),
    )


async def test_a_dead_letter_passes_the_broker_whatever_its_headers_hold(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """The largest frame with headers of all bytes is set aside and can be read back as it came."""
    topic, aside = await make_topic("frames.cam1"), await make_topic("aside")
    kafka = kafka.model_copy(
        update={"max_message_bytes": 100_000, "frame_topics": [topic], "dead_letter_topic": aside}
    )
    headers = (("any", bytes(range(256))), ("empty", b""), ("größe", b"\xff" * 60_000))
    sent = Record(topic, value=bytes(100_000), key=b"\x00\xff", headers=headers)
    async with Publisher(kafka) as publisher, FrameSource(kafka) as source:
        await publisher.publish([sent])
        while not (frames := await source.poll(1)):
            pass
        await publisher.publish([dead_letter(aside, frames[0], CorruptImageError("torn \ud800"))])
    as_frames = kafka.model_copy(
        update={"frame_topics": [aside], "dead_letter_topic": "other", "group_id": f"{kafka.group_id}-2"}
    )
    async with FrameSource(as_frames) as source:
        assert source.assigned == {TopicPartition(aside, 0)}
        while not (letters := await source.poll(1)):
            pass
    assert (letters[0].key, letters[0].value) == (sent.key, sent.value)
    assert letters[0].headers[:3] == headers
    assert dict(letters[0].headers[3:])["stripsight-error"] == b"torn ?"


def frame_of(*, key: bytes = b"cam1", value: bytes = b"", headers: Headers = ()) -> RawFrame:
    return RawFrame(FrameOrigin("frames.cam1", 3, 42), 1_700_000_000_000, key, headers, value)


async def read_first(kafka: KafkaSettings, topic: str, count: int) -> list[RawFrame]:
    """Return the first records of a topic."""
    as_frames = kafka.model_copy(
        update={
            "frame_topics": [topic],
            "dead_letter_topic": "other",
            "group_id": f"{kafka.group_id}-{topic}",
        }
    )
    records: list[RawFrame] = []
    async with FrameSource(as_frames) as source:
        while len(records) < count:
            records += await source.poll(count - len(records))
    return records


@pytest.mark.parametrize(
    ("key", "headers", "omitted"),
    [
        (b"cam1", (("ce_coil", bytes(300_000)),), "value of 5 bytes, 1 headers of 300007 bytes: "),
        (bytes(300_000), (), "value of 5 bytes, 0 headers of 0 bytes, key of 300000 bytes: "),
    ],
)
async def test_a_dead_letter_that_is_too_large_goes_out_bare(
    kafka: KafkaSettings, make_topic: MakeTopic, key: bytes, headers: Headers, omitted: str
) -> None:
    """What does not fit is left out and said so; the records beside it are published as ever."""
    aside, defects = await make_topic("aside"), await make_topic("defects")
    kafka = kafka.model_copy(update={"max_message_bytes": 1000})
    letter = dead_letter(aside, frame_of(key=key, value=b"torn!", headers=headers), CorruptImageError("torn"))
    async with Publisher(kafka) as publisher:
        with capture_logs() as log:
            await publisher.publish([Record(defects, value=b"0"), letter, Record(defects, value=b"1")])
    assert [line["event"] for line in log] == ["record refused, publishing its substitute"]
    (bare,) = await read_first(kafka, aside, 1)
    assert bare.key == (key if len(key) < 1000 else None)
    assert not bare.value
    told = dict(bare.headers)
    assert bare.headers[:6] == letter.headers[-6:]
    assert told["stripsight-omitted"].decode().startswith(omitted)
    assert b"MessageSizeTooLarge" in told["stripsight-omitted"]
    assert [record.value for record in await read_first(kafka, defects, 2)] == [b"0", b"1"]


async def test_a_dead_letter_that_the_broker_refuses_goes_out_bare() -> None:
    """The limit may be the topic's own, of which only the broker's answer tells."""
    with MockCluster() as broker:
        broker.create_topic("aside")
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        async with Publisher(kafka) as publisher:
            broker.fail_requests(PRODUCE, TOO_LARGE)
            await publisher.publish(
                [dead_letter("aside", frame_of(value=b"torn"), CorruptImageError("torn"))]
            )
        (bare,) = await read_first(kafka, "aside", 1)
    assert (bare.key, bare.value) == (b"cam1", None)
    assert dict(bare.headers)["stripsight-origin-offset"] == b"42"
    assert dict(bare.headers)["stripsight-omitted"].startswith(b"value of 4 bytes, 0 headers of 0 bytes: ")


async def test_a_dead_letter_that_is_refused_even_bare_is_an_error() -> None:
    """Nothing is dropped: when the broker takes no dead letter at all, whoever publishes hears of it."""
    with MockCluster() as broker:
        broker.create_topic("aside")
        async with Publisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)) as publisher:
            broker.fail_requests(PRODUCE, TOO_LARGE, TOO_LARGE)
            with pytest.raises(PublishError, match="aside"):
                await publisher.publish([dead_letter("aside", frame_of(), CorruptImageError("torn"))])


async def test_a_bare_dead_letter_hides_no_refused_defect(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """A record without a substitute that is refused in the same call still is an error."""
    aside, defects = await make_topic("aside"), await make_topic("defects")
    kafka = kafka.model_copy(update={"max_message_bytes": 1000})
    letter = dead_letter(aside, frame_of(value=bytes(300_000)), CorruptImageError("torn"))
    async with Publisher(kafka) as publisher:
        with pytest.raises(PublishError, match=defects):
            await publisher.publish([letter, Record(defects, value=bytes(300_000))])
    (bare,) = await read_first(kafka, aside, 1)
    assert dict(bare.headers)["stripsight-reason"] == b"corrupt_image"
