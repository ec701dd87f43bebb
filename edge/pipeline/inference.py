"""The inference stage: the model in a thread of its own, batch after batch."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from edge.errors import StalledModelError
from edge.pipeline.decode import Image
from edge.pipeline.serving import Serving
from edge.pipeline.work import ServedModel, Work
from edge.pipeline.worker import Worker
from edge.vision.runtime import Runtime

# Frames of the last batch are kept for a new model to be tried on; so many, and so much memory, and no more.
_SAMPLE_FRAMES = 4
_SAMPLE_BYTES = 32 * 2**20


class Inferred(NamedTuple):
    """What a batch has cost, and the model that looked at it."""

    infer_s: float
    model: ServedModel


class InferenceStage:
    """Runs the model on what was decoded; one thread, since the model itself uses the whole device.

    Args:
        runtime: the model to begin with.
        stall_exit_s: a batch that takes longer raises; 0 for never.
    """

    def __init__(self, runtime: Runtime, *, stall_exit_s: float = 0.0) -> None:
        self._serving = Serving(runtime)
        self._stall_exit_s = stall_exit_s
        self._worker = Worker("infer")
        self._busy_since: float | None = None
        self.sample: tuple[Image, ...] = ()

    @property
    def runtime(self) -> Runtime:
        """The model that the next batch will see."""
        return self._serving.runtime

    @property
    def busy_s(self) -> float:
        """How long the model has been at its present batch; 0 while it rests."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    async def infer(self, works: Sequence[Work]) -> Inferred:
        """Give every decoded frame its detections or its error.

        Raises:
            BrokenModelError: the model fails on everything; no frame is to blame.
            StalledModelError: it takes longer than ``stall_exit_s``; its thread is left behind.
        """
        serving = self._serving  # of the whole batch: an exchange takes effect with the next one
        decoded = [work for work in works if work.needs_model]
        now = asyncio.get_running_loop().time()
        for work in decoded:
            work.wait_s = max(now - work.taken_in_at - work.decode_s, 0.0)
        started_at = self._busy_since = time.monotonic()
        try:
            if decoded:
                await self._look(serving, decoded)
        finally:
            self._busy_since = None
        took_s = time.monotonic() - started_at
        self.sample = _sample(decoded) or self.sample
        for work in decoded:
            work.infer_s, work.batch_frames, work.image = took_s, len(decoded), None
        return Inferred(took_s, serving.model)

    def switch(self, runtime: Runtime) -> Serving:
        """Let the next batch see another model; returns the one before, to be let go."""
        before, self._serving = self._serving, Serving(runtime)
        return before

    async def let_go(self, before: Serving) -> None:
        """Let a model go, after the batch that it may be at."""
        await self._worker.run(before.close)

    def forget_what_fits(self) -> None:
        """Offer whole batches again: what took the memory may be gone."""
        self._serving.frames_that_fit = None

    def close(self) -> None:
        """Let the thread end after the batch that it is at, without waiting: that may be one that hangs."""
        self._worker.close()

    async def _look(self, serving: Serving, decoded: Sequence[Work]) -> None:
        """Wait for the model, but not for ever: restart policies act on exits, and not on health checks."""
        try:
            async with asyncio.timeout(self._stall_exit_s or None):
                await self._worker.run(lambda: serving.look(decoded))
        except TimeoutError:  # the deadline's: one that the model raises is a frame's failure
            raise StalledModelError(
                f"model {serving.model.reference.name} has been at a batch of {len(decoded)} frames for "
                f"{self._stall_exit_s:g} s (pipeline.stall_exit_s); they will be read again"
            ) from None


def _sample(works: Sequence[Work]) -> tuple[Image, ...]:
    """Return images that were inspected without a failure: those must not be held against a new model."""
    sample: list[Image] = []
    for work in works:
        if work.error is None and work.image is not None and len(sample) < _SAMPLE_FRAMES:
            if sum(image.nbytes for image in sample) + work.image.nbytes > _SAMPLE_BYTES:
                break
            sample.append(work.image)
    return tuple(sample)
