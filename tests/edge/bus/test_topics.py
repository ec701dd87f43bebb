"""Topics: which are there, which hold frames, which are created."""

from collections.abc import Awaitable, Callable

import pytest

from edge.bus.topics import ensure_topics, existing_topics, is_frame_topic, require_topics
from edge.errors import BrokerUnreachableError, MissingTopicError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]

NOBODY_LISTENS = "127.0.0.1:1"


async def test_result_topics_are_created_once(kafka: KafkaSettings) -> None:
    """The daemon's topics exist after its first start, and its second finds them."""
    await ensure_topics(kafka)
    results = {kafka.defects_topic, kafka.inspections_topic, kafka.dead_letter_topic}
    assert results <= await existing_topics(kafka)
    await ensure_topics(kafka)


async def test_a_cameras_topic_is_created(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """Any topic can be asked for; those that exist are left alone."""
    there, missing = await make_topic("frames.cam1"), f"{kafka.group_id}.frames.cam2"
    await ensure_topics(kafka, [there, missing])
    assert {there, missing} <= await existing_topics(kafka)


async def test_a_missing_topic_is_named_when_none_may_be_created(
    kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    """With create_topics off, the error names what is missing, and nothing is created."""
    await make_topic("defects")
    kafka = kafka.model_copy(update={"create_topics": False})
    with pytest.raises(MissingTopicError) as raised:
        await ensure_topics(kafka)
    assert kafka.inspections_topic in str(raised.value)
    assert kafka.dead_letter_topic in str(raised.value)
    assert kafka.defects_topic not in str(raised.value)
    assert kafka.inspections_topic not in await existing_topics(kafka)


async def test_required_topics_that_exist_pass(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """Nothing is said about topics that are there."""
    await require_topics(kafka, [await make_topic("frames.cam1")])


async def test_without_a_broker_the_address_is_named() -> None:
    """Asking for topics where nobody listens says where that is."""
    with pytest.raises(BrokerUnreachableError, match=NOBODY_LISTENS):
        await existing_topics(KafkaSettings(bootstrap_servers=NOBODY_LISTENS))


@pytest.mark.parametrize(
    ("topic", "is_frame"),
    [
        ("frames.cam1", True),
        ("frames.line2.cam1", True),
        ("frames.dead-letter", False),
        ("frames.dead-letter-office", True),
        ("frames.", False),
        ("my.frames.cam1", False),
        ("defects", False),
    ],
)
def test_the_default_pattern_takes_cameras_and_no_dead_letters(topic: str, is_frame: bool) -> None:
    """Every `frames.<camera>` is a frame topic but that of the dead letters."""
    assert is_frame_topic(topic, KafkaSettings()) is is_frame


def test_dead_letters_never_come_back_as_frames() -> None:
    """Whatever pattern or list says, the dead-letter topic is not read."""
    kafka = KafkaSettings(frame_topic_pattern=".*", dead_letter_topic="bad")
    assert not is_frame_topic("bad", kafka)
    assert not is_frame_topic("bad", kafka.model_copy(update={"frame_topics": ["bad"]}))
