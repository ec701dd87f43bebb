"""Threads that can be left behind."""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

_at_a_call: set[threading.Thread] = set()

_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]
_Settling = tuple["asyncio.Future[Any]", Callable[[Any], None], object]


class Worker:
    """Runs calls in the order in which they come, in a thread of its own, or in several side by side.

    Unlike an executor's, the threads do not hold up the end of the process: a model that hangs, or is still
    loading, must not keep a daemon alive that was told to stop. And they wake the event loop once for all
    calls that ended since it last looked: of hundreds of short calls a second, waking is the larger part.
    """

    def __init__(self, name: str, *, threads: int = 1) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = threads
        self._ended: deque[_Settling] = deque()
        self._is_waking = False
        for _ in range(threads):
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def start(self, call: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Return what the call will return or raise; cancelling stops waiting, not the call."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put((call, future))
        return future

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, or raise what it raises; cancelling stops waiting, not the call."""
        return await self.start(call)

    def close(self) -> None:
        """Let the threads end after the calls that are there, without waiting for them."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(*job)
            del job  # what a call returned, a model perhaps, must not live on until the next one comes

    def _do(self, call: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        _at_a_call.add(threading.current_thread())
        try:
            self._settle(call, future)
        finally:
            _at_a_call.discard(threading.current_thread())

    def _settle(self, call: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the call
            self._hand_over(future, future.set_exception, error)
        else:
            self._hand_over(future, future.set_result, result)

    def _hand_over(
        self, future: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: object
    ) -> None:
        """Settle a future from another thread.

        What is appended while a waking is under way is settled by it: the loop says first that it is awake,
        and looks then.
        """
        self._ended.append((future, settle, outcome))
        if not self._is_waking:
            self._is_waking = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
                future.get_loop().call_soon_threadsafe(self._settle_ended)

    def _settle_ended(self) -> None:
        self._is_waking = False
        while self._ended:
            future, settle, outcome = self._ended.popleft()
            if not future.done():  # somebody still waits
                settle(outcome)


def any_at_a_call() -> bool:
    """Whether a thread is still at a call, perhaps one that was left behind."""
    return bool(_at_a_call)
