"""A thread that can be left behind."""

import asyncio
import subprocess
import sys
import threading
from functools import partial

import pytest

from edge.pipeline.worker import Worker


async def test_calls_run_one_after_the_other_in_one_thread() -> None:
    """What they return comes back, in a thread that is not the caller's."""
    worker = Worker("test")
    threads = [await worker.run(threading.current_thread) for _ in range(2)]
    assert threads[0] is threads[1] is not threading.current_thread()
    assert threads[0].name == "test"
    worker.close()


async def test_what_a_call_raises_reaches_its_caller() -> None:
    """And the next call runs as if nothing had been."""
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 7) == 7
    worker.close()


async def test_a_cancelled_caller_does_not_disturb_the_next() -> None:
    """Its call still runs to its end, and its answer goes nowhere."""
    worker, let_go = Worker("test"), threading.Event()
    waiting = asyncio.create_task(worker.run(lambda: let_go.wait(10)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    let_go.set()
    assert await worker.run(lambda: 7) == 7
    worker.close()


def test_a_call_that_hangs_does_not_keep_the_process_alive() -> None:
    """The interpreter ends, whatever the thread is at."""
    program = """
import asyncio, threading
from edge.pipeline.worker import Worker

async def main():
    hanging = asyncio.create_task(Worker("hangs").run(threading.Event().wait))
    await asyncio.sleep(0)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


async def test_calls_run_side_by_side_in_several_threads() -> None:
    """Two calls that wait for each other both come to an end."""
    worker, both = Worker("test", threads=2), threading.Barrier(2)
    await asyncio.gather(worker.run(lambda: both.wait(10)), worker.run(lambda: both.wait(10)))
    worker.close()


async def test_no_outcome_is_forgotten_however_many_come_at_once() -> None:
    """The loop is woken once for several, and each reaches its caller."""
    worker = Worker("test", threads=4)
    outcomes = await asyncio.gather(*[worker.start(partial(abs, -number)) for number in range(2000)])
    assert outcomes == list(range(2000))
    worker.close()
