"""The inference stage: the model in a thread of its own, batch after batch."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from edge.errors import InferenceError
from edge.pipeline.decode import Image
from edge.pipeline.work import Work
from edge.vision.detections import Detections
from edge.vision.runtime import Runtime

log = structlog.get_logger(__name__)


class InferenceStage:
    """Runs the model on what was decoded; one thread, since the model itself uses the whole device."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="infer")

    async def infer(self, works: Sequence[Work]) -> float:
        """Give every decoded frame its detections or its error; returns the seconds it took."""
        decoded = [work for work in works if work.error is None]
        loop = asyncio.get_running_loop()
        for work in decoded:
            work.wait_s = max(loop.time() - work.taken_in_at - work.decode_s, 0.0)
        started_at = time.perf_counter()
        if decoded:
            await loop.run_in_executor(self._thread, self._infer_decoded, decoded)
        took_s = time.perf_counter() - started_at
        for work in decoded:
            work.infer_s, work.batch_frames, work.image = took_s, len(decoded), None
        return took_s

    def close(self) -> None:
        """Let the thread end after the batch that it is at, without waiting: that may be one that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _infer_decoded(self, works: Sequence[Work]) -> None:
        images = [work.image for work in works if work.image is not None]
        try:
            results = self._infer_images(images)
        except Exception as error:  # noqa: BLE001 - whatever a model raises is the frame's failure, not the line's
            self._blame(works, error)
            return
        for work, detections in zip(works, results, strict=True):
            work.detections = detections

    def _infer_images(self, images: Sequence[Image]) -> list[Detections]:
        """Count in equals count out: a mask never lands on another camera's frame."""
        results = self._runtime.infer(images)
        if len(results) != len(images):
            raise InferenceError(f"the model answered {len(results)} frames when asked for {len(images)}")
        return results

    def _blame(self, works: Sequence[Work], error: Exception) -> None:
        """A batch that failed is tried again frame by frame, so that the neighbours of a bad one go on."""
        log.warning("inference failed", frames=len(works), error=f"{type(error).__name__}: {error}")
        if len(works) > 1:
            for work in works:
                self._infer_decoded([work])
            return
        works[0].fail(InferenceError(f"{type(error).__name__}: {error}"))
