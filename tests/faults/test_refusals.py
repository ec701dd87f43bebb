"""The broker takes some records not now, or not at all."""

import asyncio
from collections.abc import Iterable

from edge.bus.publisher import Publisher
from edge.bus.record import Record
from edge.settings import Settings
from tests.faults.conftest import Close
from tests.support.kafka_broker import KafkaBroker
from tests.support.line import Cameras, frame, image, running

SPOILED_EVERY = 5


def spoiled(topic: str, frames: int) -> Iterable[Record]:
    """Frames of which every fifth is cut short."""
    for sequence in range(frames):
        value = image(sequence)
        yield frame(topic, sequence, value[:50] if sequence % SPOILED_EVERY == 0 else value)


async def configure(broker: KafkaBroker, topic: str, setting: str) -> None:
    """Change a topic's setting; an empty value takes it away."""
    name, _, value = setting.partition("=")
    change = ("--add-config", setting) if value else ("--delete-config", name)
    await asyncio.to_thread(
        broker.script, "kafka-configs.sh", "--alter", "--entity-type", "topics", "--entity-name", topic, *change
    )


async def test_dead_letter_topic_that_takes_nothing_for_now(
    settings: Settings, broker: KafkaBroker, close: Close
) -> None:
    """Too few replicas are in sync, as with full disks: the line waits, loses nothing, and goes on later."""
    kafka = settings.kafka
    await configure(broker, kafka.dead_letter_topic, "min.insync.replicas=2")
    topic = (kafka.frame_topics or [])[0]
    async with running(settings) as daemon, Publisher(kafka) as publisher:
        await publisher.publish(list(spoiled(topic, 60)))
        async with Cameras(kafka) as cameras:
            await cameras.publish_more(150)
        assert sum(daemon.lag().values()) > 100
        await configure(broker, kafka.dead_letter_topic, "min.insync.replicas")
        account = await close()
    failed = [each for each in account.inspections if each.outcome == "failed"]
    assert len(failed) == 60 / SPOILED_EVERY
    assert {each.reason for each in failed} == {"corrupt_image"}


async def test_dead_letter_topic_that_takes_only_small_records(
    settings: Settings, broker: KafkaBroker, close: Close
) -> None:
    """A dead letter that the broker refuses for good is published bare, and the inspections tell of it all."""
    kafka = settings.kafka
    await configure(broker, kafka.dead_letter_topic, "max.message.bytes=1000")
    topic = (kafka.frame_topics or [])[0]
    records = [frame(topic, number, b"no image" * 1000) for number in range(5)]
    async with running(settings), Publisher(kafka) as publisher:
        await publisher.publish(records)
        account = await close()
    assert [each.outcome for each in account.inspections] == ["failed"] * 5


async def test_defects_too_large_for_their_topic(
    settings: Settings, broker: KafkaBroker, close: Close
) -> None:
    """A defect whose mask makes it larger than the broker takes is published without its mask."""
    kafka = settings.kafka
    await configure(broker, kafka.defects_topic, "max.message.bytes=950")
    async with running(settings), Cameras(kafka) as cameras:
        await cameras.publish_more(90)
        await cameras.finish()
        account = await close()
    assert {each.outcome for each in account.inspections} == {"inspected"}
