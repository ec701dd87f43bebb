"""The embedded broker: librdkafka's mock cluster in a child process, so that a demo needs no Kafka.

It speaks Kafka's protocol over TCP, to any client. It is for demos and tests, not for a mill: it keeps about
5 MB a partition and nothing on disk, and silently drops what is older. So topics are created and consumers
assigned before the first frame is published, and who publishes waits for who reads.

The child ends with its parent, whichever way that ends: its standard input is a pipe that then closes, and
on Linux the kernel kills it as well.
"""

import asyncio
import contextlib
import ctypes
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Self

from edge.bus.mock_cluster import MockCluster
from edge.errors import BusError

_START_TIMEOUT_S = 10.0  # it takes about 0.2 s; much more means that the child hangs
_STOP_TIMEOUT_S = 2.0
_DONE = "done"
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class EmbeddedBroker:
    """A broker in a child process, for the length of an ``async with``."""

    def __init__(self) -> None:
        self.bootstrap_servers = ""
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        # A session of its own: Ctrl-C reaches the parent alone, which drains before the broker goes.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        try:
            self.bootstrap_servers = await self._answer()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def pid(self) -> int | None:
        """Process id of the child while it runs."""
        return self._process.pid if self._process else None

    async def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create a topic.

        Raises:
            BusError: it exists already, or the broker is gone.
        """
        if self._process is None or self._process.stdin is None:
            raise BusError("the embedded broker is not running")
        self._process.stdin.write(f"{topic} {partitions}\n".encode())
        answer = await self._answer()
        if answer != _DONE:
            raise BusError(answer)

    async def _answer(self) -> str:
        if self._process is None or self._process.stdout is None:
            raise BusError("the embedded broker is not running")
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BusError(f"the embedded broker did not answer for {_START_TIMEOUT_S:g} s") from None
        if not line:
            raise BusError("the embedded broker ended by itself")
        return line.decode().strip()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _serve() -> None:
    """Serve as the child: the address first, then one answer to each line ``<topic> <partitions>``."""
    _die_with_parent()
    with MockCluster() as cluster:
        print(cluster.bootstrap_servers, flush=True)  # noqa: T201 - the parent reads it
        for line in sys.stdin:
            topic, partitions = line.split()
            answer = _DONE
            try:
                cluster.create_topic(topic, int(partitions))
            except BusError as error:
                answer = str(error)
            print(answer, flush=True)  # noqa: T201 - the parent reads it


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
