"""Daemons that end without a word, and others that begin."""

import asyncio
import random

from aiokafka import AIOKafkaConsumer, TopicPartition

from edge.settings import KafkaSettings, Settings
from tests.faults.conftest import LONG, Close
from tests.support.cameras import Cameras
from tests.support.line import daemon_process

KILLS = 50 if LONG else 4
AT_WORK = 0.8
"""Of so many kills the daemon has published results before; others may come while it starts."""
SEED = 20_261_129
CALM = 10  # frames a second and camera: a daemon that lives for a second or two must not fall behind for ever


async def inspections(kafka: KafkaSettings) -> int:
    """How many records lie on the topic of inspections, those that nobody sees included."""
    partition = TopicPartition(kafka.inspections_topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        end: int = (await consumer.end_offsets([partition]))[partition]
    return end


async def test_daemon_killed_again_and_again(settings: Settings, close: Close) -> None:
    """Kill -9 at random moments, in a row: whoever comes next begins where the results end."""
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    static = settings.kafka.model_copy(update={"group_instance_id": "edge-1", "session_timeout_ms": 10_000})
    settings = settings.model_copy(update={"kafka": static})
    async with Cameras(settings.kafka, frames_a_second=CALM) as cameras:
        at_work = 0
        for _ in range(KILLS):
            before = await inspections(settings.kafka)
            async with daemon_process(settings) as daemon:
                if chance.random() < AT_WORK:
                    while await inspections(settings.kafka) == before:
                        await cameras.publish_more(1)
                await asyncio.sleep(chance.uniform(0, 1))  # the moment is what is tested
                daemon.kill()
            at_work += await inspections(settings.kafka) > before
        assert at_work > KILLS / 2
        async with daemon_process(settings):
            await cameras.publish_more(20)
            await cameras.finish()
            await close(f" ({KILLS} kills, {at_work} of them at work)", timeout_s=300)
