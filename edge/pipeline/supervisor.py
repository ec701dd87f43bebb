"""The pipeline: the stages, the bounded queues between them, and how they start and end together."""

import asyncio
import contextlib
import itertools
from typing import NamedTuple

import structlog

from edge.bus.source import FrameSource
from edge.errors import DrainTimeoutError
from edge.pipeline.batcher import Batcher
from edge.pipeline.budget import Budget
from edge.pipeline.channel import Channel, EndOfChannelError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import Batch, Work
from edge.settings import PipelineSettings
from edge.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

# One batch may wait for the broker while the next is inferred; more would only hold memory.
_BATCHES_AWAITING_DELIVERY = 1


class _Decoding(NamedTuple):
    """A frame whose image is being decoded; ``arrived_at`` is on the loop's clock."""

    work: asyncio.Future[Work]
    arrived_at: float
    decoded_bytes: int


class Pipeline:
    """Frames from the source to acknowledged results and committed offsets, in the order of intake.

    1. take in and start decoding  2. batch  3. infer  4. publish and await acknowledgement  5. commit.
    A crash anywhere leaves uncommitted what was not acknowledged: it is read again, never lost.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        decoding: DecodingStage,
        inference: InferenceStage,
        delivery: DeliveryStage,
        settings: PipelineSettings,
        metrics: Metrics,
    ) -> None:
        self._source = source
        self._decoding = decoding
        self._inference = inference
        self._delivery = delivery
        self._settings = settings
        self._metrics = metrics
        self._decoded: Channel[_Decoding] = Channel(settings.queue_frames)
        self._memory = Budget(settings.max_decoded_bytes)
        self._inferred: Channel[Batch] = Channel(_BATCHES_AWAITING_DELIVERY)
        metrics.queue_frames.set_function(lambda: len(self._decoded))
        metrics.queue_capacity_frames.set(settings.queue_frames)

    async def run(self, stop: asyncio.Event) -> None:
        """Inspect frames until ``stop`` is set; then drain: no intake, everything in flight is finished.

        Raises:
            DrainTimeoutError: the drain took longer than ``drain_timeout_s``; what was not acknowledged
                stays uncommitted and is read again by the next daemon.
        """
        stages = asyncio.create_task(self._run_stages(stop))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stages, stopped}, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await stages
        except TimeoutError:
            raise DrainTimeoutError(
                f"{self._source.in_flight} frames were not finished within "
                f"{self._settings.drain_timeout_s:g} s; they will be read again"
            ) from None
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed  # the stage that failed first ended the others
        finally:
            stages.cancel()
            stopped.cancel()
            await asyncio.wait({stages, stopped})
            self._decoding.close()
            self._inference.close()

    async def _run_stages(self, stop: asyncio.Event) -> None:
        delivered = asyncio.Event()
        async with asyncio.TaskGroup() as stages:
            stages.create_task(self._take_in(stop))
            stages.create_task(self._infer())
            stages.create_task(self._commit_until(delivered))
            await self._deliver()
            delivered.set()

    async def _take_in(self, stop: asyncio.Event) -> None:
        """Poll even while there is no room: the source pauses, but the daemon stays in its group."""
        while not stop.is_set():
            for raw in await self._source.poll(self._decoded.room):
                arrived_at = asyncio.get_running_loop().time()
                size = self._decoding.decoded_bytes(raw)
                await self._memory.take(size)
                await self._decoded.send(_Decoding(self._decoding.start(raw), arrived_at, size))
        await self._decoded.close()
        log.info("draining", in_flight=self._source.in_flight)

    async def _infer(self) -> None:
        batcher = Batcher(
            self._decoded,
            max_batch=self._settings.max_batch,
            max_wait_s=self._settings.max_wait_ms / 1000,
            arrived_at=lambda decoding: decoding.arrived_at,
        )
        for number in itertools.count(1):
            try:
                batch = await batcher.next_batch()
            except EndOfChannelError:
                break
            self._metrics.batches_in_flight.inc()
            works = [await decoding.work for decoding in batch]
            infer_s, model = await self._inference.infer(works)
            self._memory.give_back(sum(decoding.decoded_bytes for decoding in batch))
            await self._inferred.send(Batch(number, works, infer_s, model))
        await self._inferred.close()

    async def _deliver(self) -> None:
        while True:
            try:
                batch = await self._inferred.receive()
            except EndOfChannelError:
                return
            await self._delivery.deliver(batch)
            self._metrics.batches_in_flight.dec()

    async def _commit_until(self, delivered: asyncio.Event) -> None:
        """Commit at intervals what is acknowledged, and a last time when everything is delivered."""
        while not delivered.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.commit_interval_ms / 1000):
                    await delivered.wait()
            await self._source.commit()
        await self._source.commit()  # the one before may have begun before the last frame was delivered
