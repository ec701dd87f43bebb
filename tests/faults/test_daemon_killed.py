"""Daemons that end without a word, and others that begin."""

import asyncio
import random

from edge.settings import Settings
from tests.faults.conftest import LONG, Close
from tests.support.cameras import Cameras
from tests.support.line import daemon_process

KILLS = 50 if LONG else 4
SEED = 20_261_129


async def test_daemon_killed_again_and_again(settings: Settings, close: Close) -> None:
    """Kill -9 at random moments, in a row: whoever comes next begins where the results end."""
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    static = settings.kafka.model_copy(update={"group_instance_id": "edge-1", "session_timeout_ms": 10_000})
    settings = settings.model_copy(update={"kafka": static})
    async with Cameras(settings.kafka) as cameras:
        for _ in range(KILLS):
            async with daemon_process(settings) as daemon:
                await asyncio.sleep(chance.uniform(0.7, 2.2))  # the moment is what is tested
                daemon.kill()
        async with daemon_process(settings):
            await cameras.publish_more(20)
            await cameras.finish()
            await close(f" ({KILLS} kills)")
