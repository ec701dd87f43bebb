"""The inference stage: the model in a thread of its own, batch after batch."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from edge.errors import BrokenModelError, InferenceError
from edge.pipeline.decode import Image
from edge.pipeline.work import Work
from edge.pipeline.worker import Worker
from edge.vision.detections import Detections
from edge.vision.runtime import Runtime

log = structlog.get_logger(__name__)


class InferenceStage:
    """Runs the model on what was decoded; one thread, since the model itself uses the whole device."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._worker = Worker("infer")
        self._busy_since: float | None = None

    @property
    def busy_s(self) -> float:
        """How long the model has been at its present batch; 0 while it rests."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    async def infer(self, works: Sequence[Work]) -> float:
        """Give every decoded frame its detections or its error; returns the seconds it took.

        Raises:
            BrokenModelError: the model fails on everything; no frame is to blame.
        """
        decoded = [work for work in works if work.needs_model]
        now = asyncio.get_running_loop().time()
        for work in decoded:
            work.wait_s = max(now - work.taken_in_at - work.decode_s, 0.0)
        started_at = self._busy_since = time.monotonic()
        try:
            if decoded:
                await self._worker.run(lambda: self._infer_decoded(decoded))
        finally:
            self._busy_since = None
        took_s = time.monotonic() - started_at
        for work in decoded:
            work.infer_s, work.batch_frames, work.image = took_s, len(decoded), None
        return took_s

    def close(self) -> None:
        """Let the thread end after the batch that it is at, without waiting: that may be one that hangs."""
        self._worker.close()

    def _infer_decoded(self, works: Sequence[Work]) -> None:
        self._infer_or_blame(works)
        if all(work.error is not None for work in works):
            self._try_model(works[0].error)

    def _infer_or_blame(self, works: Sequence[Work]) -> None:
        """A batch that fails is tried again frame by frame, so that the neighbours of a bad one go on."""
        try:
            results = self._infer_images([work.image for work in works if work.image is not None])
        except Exception as error:  # noqa: BLE001 - whatever a model raises is the frame's failure, not the line's
            reason = f"{type(error).__name__}: {error}"
            log.warning("inference failed", frames=len(works), error=reason)
            if len(works) == 1:
                works[0].fail(InferenceError(reason))
                return
            for work in works:
                self._infer_or_blame([work])
        else:
            for work, detections in zip(works, results, strict=True):
                work.detections = detections

    def _infer_images(self, images: Sequence[Image]) -> list[Detections]:
        """Count in equals count out: a mask never lands on another camera's frame."""
        results = self._runtime.infer(images)
        if len(results) != len(images):
            raise InferenceError(f"the model answered {len(results)} frames when asked for {len(images)}")
        return results

    def _try_model(self, failure: Exception | None) -> None:
        """When nothing but failures came out, see whether the model still works at all.

        After a fault of the device every call fails. Blaming the frames would send the whole strip to the
        dead letters; instead the daemon ends with them uncommitted, and a restart inspects them.
        """
        try:
            self._runtime.warmup()
        except Exception as error:
            raise BrokenModelError(
                f"model {self._runtime.model_name} fails on every frame and on its own warm-up: "
                f"{type(error).__name__}: {error} (first: {failure})"
            ) from error
