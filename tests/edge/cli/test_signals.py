"""What signals ask a command for."""

import asyncio
import os
import signal

from edge.cli.signals import on_hangup


async def test_a_hangup_is_heard_each_time_while_the_block_lasts() -> None:
    """And it does not end the process."""
    heard = asyncio.Queue[int]()
    before = signal.getsignal(signal.SIGHUP)
    with on_hangup(lambda: heard.put_nowait(1)):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            assert await asyncio.wait_for(heard.get(), 10) == 1
    assert signal.getsignal(signal.SIGHUP) == before
