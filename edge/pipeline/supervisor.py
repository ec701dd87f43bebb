"""The pipeline: the stages, the bounded queues between them, and how they start and end together."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

from edge.bus.source import FrameSource
from edge.errors import DrainTimeoutError
from edge.pipeline.adaptive import AdaptiveLimits
from edge.pipeline.admission import Admission, Admitted
from edge.pipeline.age_limit import AgeLimit
from edge.pipeline.batcher import Batcher, BatchLimits
from edge.pipeline.channel import Channel, EndOfChannelError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import Batch, Work
from edge.settings import PipelineSettings
from edge.telemetry.metrics import Metrics

# One batch may wait for the broker while the next is inferred; more would only hold memory.
_BATCHES_AWAITING_DELIVERY = 1


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
        age_limit: AgeLimit | None = None,
    ) -> None:
        self._source = source
        self._decoding = decoding
        self._inference = inference
        self._delivery = delivery
        self._settings = settings
        self._metrics = metrics
        self._age_limit = age_limit
        self._most = BatchLimits(settings.max_batch, settings.max_wait_ms / 1000)
        self._admission = Admission(source, decoding, settings, metrics)
        self._adaptive = _adaptive_limits(settings, self._most, self._admission.queue.capacity)
        self._inferred: Channel[Batch] = Channel(_BATCHES_AWAITING_DELIVERY)
        metrics.queue_frames.set_function(lambda: len(self._admission.queue))
        metrics.queue_capacity_frames.set(self._admission.queue.capacity)

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
            stages.create_task(self._admission.run(stop))
            stages.create_task(self._infer())
            stages.create_task(self._commit_until(delivered))
            await self._deliver()
            delivered.set()

    async def _infer(self) -> None:
        batcher = Batcher(
            self._admission.queue,
            limits=self._limits,
            arrived_at=lambda admitted: admitted.arrived_at,
            takes_place=self._takes_place,
        )
        for number in itertools.count(1):
            try:
                admitted = await batcher.next_batch()
            except EndOfChannelError:
                break
            formed_at = asyncio.get_running_loop().time()
            self._metrics.batches_in_flight.inc()
            works = [await one.work for one in admitted]
            self._skip_too_old(admitted, works)
            infer_s, model = await self._inference.infer(works)
            self._learn(works, formed_at)
            self._admission.leave(admitted)
            await self._inferred.send(Batch(number, works, infer_s, model))
        await self._inferred.close()

    def _skip_too_old(self, admitted: Sequence[Admitted], works: Sequence[Work]) -> None:
        """Look a last time, just before the model would: frames age in the queue."""
        if self._age_limit is None:
            return
        now = asyncio.get_running_loop().time()
        took_s = [now - one.arrived_at for one in admitted if not one.is_skipped]
        if took_s:
            self._age_limit.reached_model(max(took_s))
        for work in works:
            self._age_limit.apply(work)

    def _limits(self, waiting: int) -> BatchLimits:
        limits = self._adaptive.limits(waiting) if self._adaptive else self._most
        self._metrics.batch_limit_frames.set(limits.max_frames)
        self._metrics.batch_wait_seconds.set(limits.max_wait_s)
        return limits

    def _learn(self, works: Sequence[Work], formed_at: float) -> None:
        frames = sum(work.batch_frames > 0 for work in works)
        if self._adaptive is not None and frames:
            self._adaptive.inferred(frames, asyncio.get_running_loop().time() - formed_at)

    def _takes_place(self, admitted: Admitted) -> bool:
        """Tell whether the model will be busy with a frame, which may have grown too old in the queue."""
        if self._age_limit is None:
            return True
        return not admitted.is_skipped and not self._age_limit.is_passed(admitted.captured_at)

    async def _deliver(self) -> None:
        while True:
            try:
                batch = await self._inferred.receive()
            except EndOfChannelError:
                return
            started_at = asyncio.get_running_loop().time()
            await self._delivery.deliver(batch)
            if self._adaptive is not None:
                self._adaptive.published(asyncio.get_running_loop().time() - started_at)
            self._metrics.batches_in_flight.dec()

    async def _commit_until(self, delivered: asyncio.Event) -> None:
        """Commit at intervals what is acknowledged, and a last time when everything is delivered."""
        while not delivered.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.commit_interval_ms / 1000):
                    await delivered.wait()
            await self._source.commit()
        await self._source.commit()  # the one before may have begun before the last frame was delivered


def _adaptive_limits(
    settings: PipelineSettings, most: BatchLimits, queue_frames: int
) -> AdaptiveLimits | None:
    if settings.target_p99_ms is None:
        return None
    return AdaptiveLimits(settings.target_p99_ms / 1000, most, queue_frames=queue_frames)
