"""A thread that can be left behind."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

_at_a_call: set[threading.Thread] = set()

_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Worker:
    """Runs one call after the other in a thread of its own.

    Unlike an executor's, the thread does not hold up the end of the process: a model that hangs, or is still
    loading, must not keep a daemon alive that was told to stop.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, or raise what it raises; cancelling stops waiting, not the call."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put((call, future))
        return await future

    def close(self) -> None:
        """Let the thread end after the call that it is at, without waiting for it."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            del job  # what a call returned, a model perhaps, must not live on until the next one comes


def any_at_a_call() -> bool:
    """Whether a thread is still at a call, perhaps one that was left behind."""
    return bool(_at_a_call)


def _do(call: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
    _at_a_call.add(threading.current_thread())
    try:
        _settle(call, future)
    finally:
        _at_a_call.discard(threading.current_thread())


def _settle(call: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the call
        _hand_over(future, future.set_exception, error)
    else:
        _hand_over(future, future.set_result, result)


def _hand_over(future: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: object) -> None:
    """Settle a future from another thread, unless nobody waits any more."""

    def settle_if_awaited() -> None:
        if not future.done():
            settle(outcome)

    with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
        future.get_loop().call_soon_threadsafe(settle_if_awaited)
