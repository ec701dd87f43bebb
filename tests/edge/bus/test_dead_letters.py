"""Dead letters: everything a frame had, and why it is here."""

from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.dead_letters import dead_letter
from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.errors import CorruptImageError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]

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
