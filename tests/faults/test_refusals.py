"""The broker takes some records not now, or not at all."""

import asyncio
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.bus.publisher import Publisher
from edge.bus.record import Record
from edge.bus.topics import ensure_topics
from edge.contracts.mask import Mask
from edge.pipeline.decode import Image
from edge.settings import Settings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from tests.faults.conftest import Close
from tests.support.audit import Account
from tests.support.cameras import Cameras
from tests.support.kafka_broker import KafkaBroker
from tests.support.line import frame, picture, running

SPOILED_EVERY = 5
SMALL_TOPIC_BYTES = 300_000  # above what records share a batch for, below one large one


def spoiled(topic: str, frames: int) -> Iterable[Record]:
    """Frames of which every fifth is cut short."""
    for sequence in range(frames):
        value = picture(sequence)
        yield frame(topic, sequence, value[:50] if sequence % SPOILED_EVERY == 0 else value)


def failures(account: Account) -> list[str | None]:
    """The reasons of all frames that failed."""
    return [each.reason for each in account.inspections if each.outcome == "failed"]


async def configure(broker: KafkaBroker, topic: str, setting: str) -> None:
    """Change a setting of a topic."""
    change = ("--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", setting)
    await asyncio.to_thread(broker.script, "kafka-configs.sh", *change)


async def test_dead_letter_topic_gone_for_now(settings: Settings, broker: KafkaBroker, close: Close) -> None:
    """While the dead-letter topic is away the line waits and loses nothing; when it is back, it goes on."""
    kafka = settings.kafka
    topic = (kafka.frame_topics or [])[0]
    async with running(settings) as daemon, Publisher(kafka) as publisher:
        await asyncio.to_thread(
            broker.script, "kafka-topics.sh", "--delete", "--topic", kafka.dead_letter_topic
        )
        await publisher.publish(list(spoiled(topic, 60)))
        async with Cameras(kafka) as cameras:
            while sum(daemon.lag().values()) < 100:
                await cameras.publish_more(10)
        await ensure_topics(kafka)
        account = await close()
    assert failures(account) == ["corrupt_image"] * (60 // SPOILED_EVERY)


async def test_dead_letters_too_large_for_their_topic(
    settings: Settings, broker: KafkaBroker, close: Close
) -> None:
    """A dead letter that the broker refuses for good is published bare; inspections tell of every frame."""
    kafka = settings.kafka
    await configure(broker, kafka.dead_letter_topic, f"max.message.bytes={SMALL_TOPIC_BYTES}")
    topic = (kafka.frame_topics or [])[0]
    async with running(settings), Publisher(kafka) as publisher, Cameras(kafka) as cameras:
        for number in range(5):
            await publisher.publish([frame(topic, number, b"no image" * 50_000)])
        await cameras.publish_more(30)
        await cameras.finish()
        account = await close()
    assert failures(account) == ["corrupt_image"] * 5


class NoisyMasks(FakeRuntime):
    """Finds one defect on every frame, whose mask is noise all over: its record is larger than the frame."""

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find it."""
        return [self._noise(*image.shape[:2]) for image in images]

    def _noise(self, height: int, width: int) -> Detections:
        noise = np.random.default_rng(7).integers(0, 2, (height, width)) > 0
        return Detections(
            boxes=np.array([[0, 0, width, height]], np.float32),
            scores=np.array([0.9], np.float32),
            classes=np.array([1]),
            masks=(Mask.encode(noise, x=0, y=0),),
        )


async def test_defects_too_large_for_their_topic(
    settings: Settings, broker: KafkaBroker, close: Close
) -> None:
    """A defect whose mask makes it larger than the broker takes is published without its mask."""
    kafka = settings.kafka
    await configure(broker, kafka.defects_topic, f"max.message.bytes={SMALL_TOPIC_BYTES}")
    large = cv2.imencode(".png", np.full((256, 1600), 128, np.uint8))[1].tobytes()
    async with running(settings, lambda _: NoisyMasks()), Publisher(kafka) as publisher:
        for number in range(5):
            await publisher.publish([frame(topic, number, large) for topic in kafka.frame_topics or []])
        account = await close()
    assert [each.outcome for each in account.inspections] == ["inspected"] * 15
    assert [defect.mask for defect in account.defects] == [None] * 15
