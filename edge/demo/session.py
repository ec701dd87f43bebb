"""One run of the demo: start the parts in order, let the cameras run, drain, and close the account."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from consumers.archive import Archive
from edge.bus.embedded import EmbeddedBroker
from edge.bus.publisher import Publisher
from edge.daemon import Daemon
from edge.demo.account import Account
from edge.demo.bookkeeper import Bookkeeper
from edge.demo.counting import CountingPublisher
from edge.demo.options import DemoOptions
from edge.settings import KafkaSettings
from edge.stopping import unless_stopped
from producers.camera import Camera
from producers.pacing import Pacer, by_rate
from producers.strip import MovingStrip

log = structlog.get_logger(__name__)

# After the last frame was published: time for the daemon to inspect what may be outstanding by then, on a
# machine whose model takes seconds a frame.
_CLOSING_TIMEOUT_S = 120.0


class DemoSession:
    """Broker, daemon, cameras, and the consumer that keeps the account, in one event loop."""

    def __init__(self, options: DemoOptions) -> None:
        self.account = Account(options.camera_names())
        self._options = options
        self._sources = options.sources()

    async def run(self, stop: asyncio.Event, on_ready: Callable[[Daemon], None]) -> None:
        """Run until ``stop``, or until the frames are through; the account then says how it went.

        Args:
            stop: ends the cameras; what they have published is still inspected.
            on_ready: called when the daemon is ready, just before the first frame.

        Raises:
            StripsightError: a part could not start, or failed.
        """
        try:
            async with AsyncExitStack() as stack:
                await self._run(stack, stop, on_ready)
        except ExceptionGroup as failed:
            raise _first_of(failed) from failed  # the part that failed first ended the others

    async def _run(
        self, stack: AsyncExitStack, stop: asyncio.Event, on_ready: Callable[[Daemon], None]
    ) -> None:
        """1. broker and topics  2. consumer  3. daemon  4. cameras; then the same backwards."""
        broker = await stack.enter_async_context(EmbeddedBroker())
        settings = self._options.settings(broker.bootstrap_servers)
        for topic in self._topics(settings.kafka):
            await broker.create_topic(topic)
        archive = stack.enter_context(Archive(self._options.out)) if self._options.out else None
        books = await stack.enter_async_context(Bookkeeper(settings.kafka, self.account, archive))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        daemon, daemon_stop = Daemon(settings), asyncio.Event()
        async with asyncio.TaskGroup() as parts:
            bookkeeping = parts.create_task(books.run())
            inspecting = parts.create_task(daemon.run(daemon_stop))
            if await unless_stopped(stop, daemon.ready.wait()):
                on_ready(daemon)
                await self._run_cameras(publisher, stop)
                await self._close_account()
            daemon_stop.set()
            await inspecting
            bookkeeping.cancel()

    def _topics(self, kafka: KafkaSettings) -> list[str]:
        frames = [f"frames.{camera}" for camera in self._options.camera_names()]
        return [*frames, kafka.defects_topic, kafka.inspections_topic, kafka.dead_letter_topic]

    async def _run_cameras(self, publisher: Publisher, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as cameras:
            for camera in self._cameras(publisher):
                cameras.create_task(camera.run(stop))

    def _cameras(self, publisher: Publisher) -> list[Camera]:
        options, account = self._options, self.account
        parts = zip(self._sources, options.plans(), options.frame_limits(), strict=True)
        return [
            Camera(
                source,
                MovingStrip(plan),
                Pacer(by_rate(options.rate), gate=partial(account.room, plan.camera)),
                CountingPublisher(publisher, account, plan.camera),
                topic=f"frames.{plan.camera}",
                frame_limit=limit,
            )
            for source, plan, limit in parts
        ]

    async def _close_account(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_TIMEOUT_S):
                await self.account.closed()


def _first_of(failed: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure itself: parts have parts of their own, and so have their groups."""
    first = failed.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
