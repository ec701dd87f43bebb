"""Daemons join and leave under load."""

from contextlib import AsyncExitStack

from edge.settings import Settings
from tests.faults.conftest import LONG, Close
from tests.support.cameras import Cameras
from tests.support.line import running

ROUNDS = 10 if LONG else 2


async def test_daemons_join_and_leave(settings: Settings, close: Close) -> None:
    """Partitions go to and fro: what is in flight is finished first, and no frame is inspected by none."""
    async with running(settings), Cameras(settings.kafka) as cameras:
        for _ in range(ROUNDS):
            async with AsyncExitStack() as guests:
                for _ in range(2):
                    await guests.enter_async_context(running(settings))
                    await cameras.publish_more(40)
            await cameras.publish_more(40)
        await cameras.finish()
        account = await close(f" ({4 * ROUNDS} rebalances)")
    assert not account.duplicates, "a rebalance in order repeats nothing"


async def test_a_static_member_comes_back(settings: Settings, close: Close) -> None:
    """A daemon with a name of its own restarts within its session: the others keep their cameras."""
    named = [
        settings.model_copy(
            update={
                "kafka": settings.kafka.model_copy(
                    update={"group_instance_id": f"edge-{number}", "session_timeout_ms": 20_000}
                )
            }
        )
        for number in (1, 2)
    ]
    async with running(named[0]) as steady, Cameras(settings.kafka) as cameras:
        async with running(named[1]) as restarted:
            await cameras.publish_more(100)
            before, his = set(steady.lag()), set(restarted.lag())
        await cameras.publish_more(40)
        assert set(steady.lag()) == before
        async with running(named[1]) as restarted:
            while not restarted.lag():
                await cameras.publish_more(3)
            assert (set(steady.lag()), set(restarted.lag())) == (before, his)
            await cameras.finish()
            await close()
