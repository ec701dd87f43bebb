"""Images that wait for the model, and the daemon's batcher that lets it look at them together."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from edge.contracts.frame import RawFrame
from edge.errors import NotReadyError
from edge.pipeline.adaptive import AdaptiveLimits
from edge.pipeline.batcher import Batcher, BatchLimits
from edge.pipeline.budget import Budget
from edge.pipeline.channel import Channel, EndOfChannelError
from edge.pipeline.counting import count_batch, count_frame
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import ServedModel, Work
from edge.serving.answer import InspectedFrame, inspected
from edge.settings import PipelineSettings
from edge.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    """An image that is being decoded, and where its answer goes."""

    work: asyncio.Future[Work]
    arrived_at: float
    decoded_bytes: int
    answer: asyncio.Future[InspectedFrame]


class Batches:
    """Takes frames one by one, lets the model look at them in batches, and answers each.

    Frames wait in a bounded queue, and their pixels in bounded memory: whoever brings more than fits waits.
    """

    def __init__(
        self,
        inference: InferenceStage,
        decoding: DecodingStage,
        settings: PipelineSettings,
        metrics: Metrics,
    ) -> None:
        self._inference = inference
        self._decoding = decoding
        self._metrics = metrics
        self._objective_s = settings.latency_objective_ms / 1000
        self._memory = Budget(settings.max_decoded_bytes)
        self._queue: Channel[_Waiting] = Channel(settings.queue_frames)
        self._most = BatchLimits(settings.max_batch, settings.max_wait_ms / 1000)
        self._adaptive = _adaptive_limits(settings, self._most)
        self._asked: set[asyncio.Future[InspectedFrame]] = set()
        metrics.latency_objective_seconds.set(self._objective_s)
        metrics.queue_frames.set_function(lambda: len(self._queue))
        metrics.queue_capacity_frames.set(self._queue.capacity)

    async def inspect(self, raw: RawFrame) -> InspectedFrame:
        """Return what the model finds on a frame, or that it cannot be inspected.

        Raises:
            NotReadyError: the model fails on everything, and the service is about to end.
        """
        work = self._decoding.identify(raw)
        self._metrics.frame_taken_in(
            work.reference.line,
            work.reference.camera,
            work.taken_in_on.timestamp(),
            is_known=work.metadata is not None,
        )
        size = self._decoding.decoded_bytes(raw) if work.needs_model else 0
        await self._memory.take(size)
        answer: asyncio.Future[InspectedFrame] = asyncio.get_running_loop().create_future()
        self._asked.add(answer)
        try:
            await self._queue.send(_Waiting(self._decoding.start(work), work.taken_in_at, size, answer))
            return await answer
        finally:
            self._asked.discard(answer)

    async def run(self) -> None:
        """Look at batch after batch until the queue is closed.

        Raises:
            BrokenModelError: the model fails on everything; nobody gets an answer any more.
            StalledModelError: it is at a batch for longer than ``stall_exit_s``.
        """
        batcher = Batcher(self._queue, limits=self._limits, arrived_at=lambda waiting: waiting.arrived_at)
        try:
            while True:
                await self._look(await batcher.next_batch())
        except EndOfChannelError:
            return
        finally:
            self._give_up()

    async def close(self) -> None:
        """Let ``run`` end after what was brought before."""
        await self._queue.close()

    async def _look(self, batch: Sequence[_Waiting]) -> None:
        formed_at = asyncio.get_running_loop().time()
        works = [await waiting.work for waiting in batch]
        infer_s, model = await self._inference.infer(works)
        self._memory.give_back(sum(waiting.decoded_bytes for waiting in batch))
        looked_at = sum(work.batch_frames > 0 for work in works)
        if self._adaptive is not None and looked_at:
            self._adaptive.inferred(looked_at, asyncio.get_running_loop().time() - formed_at)
        results = [self._result(work, model) for work in works]
        count_batch(self._metrics, works, infer_s)
        log.info(
            "batch",
            frames=len(works),
            failed=sum(work.error is not None for work in works),
            defects=sum(len(result.defects) for result in results),
            wait_ms=round(max(work.wait_s for work in works) * 1000, 1),
            infer_ms=round(infer_s * 1000, 1),
        )
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.answer.done():  # its client may have gone
                waiting.answer.set_result(result)

    def _give_up(self) -> None:
        """Nobody waits for an answer that will not come."""
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(NotReadyError("the model has failed, and the service ends"))

    def _result(self, work: Work, model: ServedModel) -> InspectedFrame:
        result = inspected(work, model)
        count_frame(
            self._metrics, work, result.defects, result.inspection, model, objective_s=self._objective_s
        )
        return result

    def _limits(self, waiting: int) -> BatchLimits:
        limits = self._adaptive.limits(waiting) if self._adaptive else self._most
        self._metrics.batch_limit_frames.set(limits.max_frames)
        self._metrics.batch_wait_seconds.set(limits.max_wait_s)
        return limits


def _adaptive_limits(settings: PipelineSettings, most: BatchLimits) -> AdaptiveLimits | None:
    if settings.target_p99_ms is None:
        return None
    return AdaptiveLimits(settings.target_p99_ms / 1000, most, queue_frames=settings.queue_frames)
