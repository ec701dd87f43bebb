"""The broker fails, and comes back."""

import asyncio

from edge.settings import Settings
from tests.faults.conftest import LONG, Close
from tests.support.cameras import Cameras
from tests.support.kafka_broker import KafkaBroker
from tests.support.line import running

GONE_S = 60 if LONG else 3  # a session lasts 2 s


async def test_broker_killed_and_restarted(settings: Settings, broker: KafkaBroker, close: Close) -> None:
    """Kill -9 to the broker under load, and a start: the daemon goes on by itself."""
    async with running(settings), Cameras(settings.kafka) as cameras:
        for _ in range(5 if LONG else 2):
            await cameras.publish_more(60)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        await cameras.publish_more(60)
        await cameras.finish()
        await close()


async def test_broker_gone_for_long(settings: Settings, broker: KafkaBroker, close: Close) -> None:
    """A broker under maintenance (a minute in the long form): the daemon waits, and goes on."""
    async with running(settings), Cameras(settings.kafka) as cameras:
        await cameras.publish_more(60)
        await asyncio.to_thread(broker.stop)
        await asyncio.sleep(GONE_S)  # how long the broker is gone is what is tested
        await asyncio.to_thread(broker.start)
        await cameras.publish_more(60)
        await cameras.finish()
        await close(f" (gone {GONE_S} s)")


async def test_broker_frozen(settings: Settings, broker: KafkaBroker, close: Close) -> None:
    """A broker that answers nothing for longer than a session, its connections open: the daemon goes on."""
    async with running(settings), Cameras(settings.kafka) as cameras:
        await cameras.publish_more(60)
        await asyncio.to_thread(broker.pause)
        await asyncio.sleep(GONE_S)
        await asyncio.to_thread(broker.unpause)
        await cameras.publish_more(60)
        await cameras.finish()
        await close(f" (frozen {GONE_S} s)")
