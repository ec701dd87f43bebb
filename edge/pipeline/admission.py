"""What is let into the pipeline, and when: the policy for overload."""

import asyncio
import contextlib
from datetime import datetime
from typing import NamedTuple

import structlog

from edge.bus.ledger import TopicPartition
from edge.bus.source import FrameSource
from edge.contracts.frame import RawFrame
from edge.pipeline.budget import Budget
from edge.pipeline.channel import Channel
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.work import Work
from edge.settings import PipelineSettings
from edge.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

# Skipped frames wait with the others for their turn to be published. So many, at 2 KiB each, are let go with
# each batch: with one that takes 0.1 s, 10,000 a second, far more than Kafka's client reads.
_MOST_SKIPPED = 1024

# Under shed a frame that waits only ages. While one batch is at the model the next is ready, and one more
# spares the model from waiting for the intake.
_BATCHES_AHEAD = 2

# Shedding never waits by itself, so that after so many frames others on the event loop get their turn.
_FRAMES_A_GLANCE = 32

# While a camera waits for room, others are looked at in between: a fraction of the time a batch takes.
_GLANCE_S = 0.01
_POLL_S = 0.2


class Admitted(NamedTuple):
    """A frame whose image is being decoded; ``arrived_at`` is on the loop's clock."""

    work: asyncio.Future[Work]
    arrived_at: float
    decoded_bytes: int
    captured_at: datetime
    is_skipped: bool


class Admission:
    """Takes frames in, starts their decoding, and bounds how many wait for the model and in how much memory.

    ``block``: when ``queue_frames`` wait, nothing more is taken in; the frames stay at the broker.

    ``shed``: frames that are too old are skipped however many wait. So every camera is looked at all the
    time, for one fresh frame at a look. When two batches (or ``queue_frames``) wait, a camera that gave a
    fresh one is paused until there is room again; the others, whose next frames may be too old, are not. One
    more frame for each camera may wait.
    """

    def __init__(
        self, source: FrameSource, decoding: DecodingStage, settings: PipelineSettings, metrics: Metrics
    ) -> None:
        self._source = source
        self._decoding = decoding
        self._metrics = metrics
        self._sheds = settings.overload == "shed"
        self._memory = Budget(settings.max_decoded_bytes)
        self._paused: set[TopicPartition] = set()
        self.queue: Channel[Admitted] = Channel(
            _most_waiting(settings),
            most_riders=_MOST_SKIPPED if self._sheds else 0,
            is_rider=lambda admitted: admitted.is_skipped,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Take frames in until ``stop`` is set; poll even while there is no room.

        The source pauses then, but the daemon stays in its group.
        """
        take_in = self._take_in_fresh if self._sheds else self._take_in
        while not stop.is_set():
            await take_in()
        await self.queue.close()
        log.info("draining", in_flight=self._source.in_flight)

    def leave(self, admitted: list[Admitted]) -> None:
        """Note that frames were inferred: their pixels are gone."""
        self._memory.give_back(sum(one.decoded_bytes for one in admitted))

    async def _take_in(self) -> None:
        if not self.queue.room:
            await self._wait_for_room()
        for raw in await self._source.poll(self.queue.room):
            await self._admit(self._decoding.identify(raw))

    async def _wait_for_room(self) -> None:
        """Wait, but not without looking after the source now and then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S):
                await self.queue.wait_for_room()

    async def _take_in_fresh(self) -> None:
        if self.queue.room:
            self._resume()
        works: list[Work] = []

        def ends_turn(raw: RawFrame) -> bool:
            works.append(work := self._decoding.identify(raw))
            return work.skipped is None

        await self._source.poll(
            min(_FRAMES_A_GLANCE, self.queue.room_for_riders),
            timeout_s=_GLANCE_S if self._paused else _POLL_S,
            ends_turn=ends_turn,
        )
        for work in works:
            await self._admit(work)
        if not self.queue.room:
            self._pause(works)
        await asyncio.sleep(0)

    async def _admit(self, work: Work) -> None:
        self._metrics.frame_taken_in(
            work.reference.line,
            work.reference.camera,
            work.taken_in_on.timestamp(),
            is_known=work.metadata is not None,
        )
        size = self._decoding.decoded_bytes(work.raw) if work.needs_model else 0
        await self._memory.take(size)
        await self.queue.send(
            Admitted(
                self._decoding.start(work),
                work.taken_in_at,
                size,
                work.reference.captured_at,
                work.skipped is not None,
            )
        )

    def _pause(self, works: list[Work]) -> None:
        """Let the cameras wait that gave a frame for the model."""
        origins = [work.raw.origin for work in works if work.skipped is None]
        self._paused.update(TopicPartition(origin.topic, origin.partition) for origin in origins)
        self._source.pause(*self._paused)

    def _resume(self) -> None:
        self._source.resume(*self._paused)
        self._paused.clear()


def _most_waiting(settings: PipelineSettings) -> int:
    if settings.overload == "block":
        return settings.queue_frames
    return min(settings.queue_frames, _BATCHES_AHEAD * settings.max_batch)
