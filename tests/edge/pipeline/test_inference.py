"""The inference stage: what a model does wrong stays with the frame that it did it on."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.contracts import FrameOrigin, FrameReference, RawFrame
from edge.errors import BrokenModelError, CorruptImageError, InferenceError
from edge.pipeline.decode import Image
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import Work
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime

POISON = 255


class FaultyRuntime(FakeRuntime):
    """Does something else with a batch in which a frame is all white."""

    def __init__(self, fault: Callable[[list[Detections]], list[Detections]]) -> None:
        super().__init__()
        self._fault = fault

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find what there is, then do the wrong thing."""
        found = super().infer(images)
        return self._fault(found) if any(image.min() == POISON for image in images) else found


def work(offset: int, grey: int) -> Work:
    """A decoded frame of one shade."""
    origin = FrameOrigin("frames.cam1", 0, offset)
    reference = FrameReference(
        id=origin.id,
        topic=origin.topic,
        partition=0,
        offset=offset,
        line="line-1",
        camera="cam1",
        captured_at=datetime.now(UTC),
    )
    image = np.full((32, 32), grey, np.uint8)
    raw = RawFrame(origin, 0, None, (), b"")
    return Work(raw, reference, asyncio.get_running_loop().time(), image=image)


async def infer(runtime: FakeRuntime, works: list[Work]) -> None:
    """Run one batch."""
    stage = InferenceStage(runtime)
    try:
        await stage.infer(works)
    finally:
        stage.close()


async def test_every_frame_gets_its_own_detections() -> None:
    """In a batch, each frame has what the model finds on it alone, and its image is let go."""
    works = [work(number, 10 * number) for number in range(3)]
    images = [one.image for one in works if one.image is not None]
    await infer(FakeRuntime(), works)
    for one, image in zip(works, images, strict=True):
        (alone,) = FakeRuntime().infer([image])
        assert one.detections is not None
        assert np.array_equal(one.detections.boxes, alone.boxes)
        assert (one.image, one.batch_frames) == (None, 3)


async def test_a_frame_that_failed_before_is_not_shown_to_the_model() -> None:
    """It travels on with its error, and its neighbours are inspected."""
    works = [work(number, 10) for number in range(2)]
    works[0].fail(CorruptImageError("cut short"))
    await infer(FakeRuntime(), works)
    assert isinstance(works[0].error, CorruptImageError)
    assert works[1].detections is not None
    assert works[1].batch_frames == 1


def _raise(_: list[Detections]) -> list[Detections]:
    raise RuntimeError("out of memory")


async def test_a_frame_on_which_the_model_raises_fails_alone() -> None:
    """The batch is tried again frame by frame: the culprit fails with the model's words, the others go on."""
    works = [work(0, 10), work(1, POISON), work(2, 20)]
    await infer(FaultyRuntime(_raise), works)
    assert [one.error is None for one in works] == [True, False, True]
    assert isinstance(works[1].error, InferenceError)
    assert "out of memory" in str(works[1].error)


async def test_a_model_that_answers_too_few_is_not_believed() -> None:
    """A mask never lands on another camera's frame: count in equals count out, or nothing counts."""
    works = [work(0, 10), work(1, POISON)]
    await infer(FaultyRuntime(lambda found: found[1:]), works)
    assert works[0].detections is not None
    assert isinstance(works[1].error, InferenceError)


async def test_a_model_that_fails_on_everything_is_not_the_frames_fault() -> None:
    """After a fault of the device no frame is dead-lettered: the stage raises, and they stay uncommitted."""

    class BrokenRuntime(FaultyRuntime):
        def warmup(self) -> None:
            raise RuntimeError("CUDA error: device-side assert")

    works = [work(0, POISON), work(1, POISON)]
    with pytest.raises(BrokenModelError, match=r"fake.*device-side assert.*out of memory"):
        await infer(BrokenRuntime(_raise), works)


async def test_the_stage_tells_how_long_it_has_been_busy() -> None:
    """A batch that hangs can be seen from outside; a stage at rest is not busy."""
    entered, let_go = threading.Event(), threading.Event()

    class SlowRuntime(FakeRuntime):
        def infer(self, images: Sequence[Image]) -> list[Detections]:
            entered.set()
            let_go.wait(10)
            return super().infer(images)

    stage = InferenceStage(SlowRuntime())
    assert stage.busy_s == 0
    batch = asyncio.create_task(stage.infer([work(0, 10)]))
    await asyncio.to_thread(entered.wait, 10)
    assert stage.busy_s > 0
    let_go.set()
    await batch
    assert stage.busy_s == 0
    stage.close()


async def test_a_batch_without_a_sound_frame_needs_no_model() -> None:
    """Nothing to see is no reason to call it."""
    works = [work(0, POISON)]
    works[0].fail(CorruptImageError("cut short"))
    await infer(FaultyRuntime(_raise), works)
    assert isinstance(works[0].error, CorruptImageError)
