"""The inference stage: what a model does wrong stays with the frame that it did it on."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import (
    BrokenModelError,
    CorruptImageError,
    InferenceError,
    ModelMemoryError,
    StalledModelError,
)
from edge.pipeline.decode import Image
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import Work
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from tests.support.works import decoded_work

POISON = 255


class FaultyRuntime(FakeRuntime):
    """Does something else with a batch in which a frame is all white."""

    def __init__(self, fault: Callable[[list[Detections]], list[Detections]]) -> None:
        super().__init__()
        self._fault = fault
        self.calls: list[int] = []

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find what there is, then do the wrong thing."""
        self.calls.append(len(images))
        found = super().infer(images)
        return self._fault(found) if any(image.min() == POISON for image in images) else found


def work(offset: int, grey: int) -> Work:
    """A decoded frame of one shade."""
    return decoded_work(offset, np.full((32, 32), grey, np.uint8))


async def infer(runtime: FakeRuntime, works: list[Work]) -> None:
    """Run one batch."""
    with closing(InferenceStage(runtime)) as stage:
        await stage.infer(works)


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
    raise RuntimeError("illegal instruction")


async def test_a_frame_on_which_the_model_raises_fails_alone() -> None:
    """The batch is halved and tried again: the culprit fails with the model's words, the others go on."""
    works = [work(number, POISON if number == 5 else 10) for number in range(8)]
    runtime = FaultyRuntime(_raise)
    await infer(runtime, works)
    assert [one.error is None for one in works] == [number != 5 for number in range(8)]
    assert works[5].error is not None
    assert (str(works[5].error), works[5].error.reason) == (
        "RuntimeError: illegal instruction",
        "inference_failed",
    )
    assert runtime.calls == [8, 4, 4, 2, 1, 1, 2]


async def test_a_model_that_answers_too_few_is_not_believed() -> None:
    """A mask never lands on another camera's frame: count in equals count out, or nothing counts."""
    works = [work(0, 10), work(1, POISON)]
    await infer(FaultyRuntime(lambda found: found[1:]), works)
    assert works[0].detections is not None
    assert isinstance(works[1].error, InferenceError)


async def test_an_answer_that_cannot_be_right_fails_its_frame_alone() -> None:
    """Its neighbours in the batch are believed as they are, without another call."""

    def spoil(found: list[Detections]) -> list[Detections]:
        return [found[0], replace(found[1], scores=np.array([np.nan], np.float32))]

    works = [work(0, 10), work(1, POISON)]
    runtime = FaultyRuntime(spoil)
    await infer(runtime, works)
    assert works[0].detections is not None
    assert isinstance(works[1].error, InferenceError)
    assert "score nan" in str(works[1].error)
    assert runtime.calls == [2]


class SmallRuntime(FakeRuntime):
    """Has memory for so many frames a call, and never for one that is all white."""

    def __init__(self, frames_that_fit: int) -> None:
        super().__init__()
        self.frames_that_fit = frames_that_fit
        self.calls: list[int] = []

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find, or run out of memory."""
        self.calls.append(len(images))
        if len(images) > self.frames_that_fit:
            raise ModelMemoryError(f"{len(images)} frames")
        if any(image.min() == POISON for image in images):
            raise MemoryError("one that is too large")
        return super().infer(images)


async def test_a_batch_that_does_not_fit_into_memory_is_halved_and_the_size_remembered() -> None:
    """All its frames are inspected; the next batch is offered in parts that fit, without failing first."""
    runtime = SmallRuntime(frames_that_fit=3)
    with closing(InferenceStage(runtime)) as stage:
        for calls in ([8, 4, 2, 2, 4, 2, 2], [2, 2, 2, 2]):
            runtime.calls.clear()
            works = [work(number, 10 * number) for number in range(8)]
            await stage.infer(works)
            assert all(one.detections is not None for one in works)
            assert runtime.calls == calls


async def test_a_frame_that_does_not_fit_into_memory_fails_alone_and_says_so() -> None:
    """It tells nothing about how many others fit: the next batch is offered whole."""
    runtime = SmallRuntime(frames_that_fit=8)
    with closing(InferenceStage(runtime)) as stage:
        works = [work(number, POISON if number == 2 else 10) for number in range(4)]
        await stage.infer(works)
        assert [type(one.error) for one in works] == [type(None), type(None), ModelMemoryError, type(None)]
        assert works[2].error is not None
        assert works[2].error.reason == "out_of_memory"
        runtime.calls.clear()
        await stage.infer([work(number, 10) for number in range(4)])
        assert runtime.calls == [4]


async def test_another_model_is_offered_whole_batches_again() -> None:
    """What did not fit beside one model's weights may fit beside another's."""
    small, large = SmallRuntime(frames_that_fit=2), SmallRuntime(frames_that_fit=8)
    with closing(InferenceStage(small)) as stage:
        await stage.infer([work(number, 10) for number in range(8)])
        stage.switch(large)
        await stage.infer([work(number, 10) for number in range(8)])
    assert large.calls == [8]


async def test_a_model_whose_answers_are_all_wrong_is_not_the_frames_fault() -> None:
    """The model's own trial is judged as strictly as its work."""

    class NanRuntime(FakeRuntime):
        def infer(self, images: Sequence[Image]) -> list[Detections]:
            return [
                replace(found, boxes=np.full_like(found.boxes, np.nan)) for found in super().infer(images)
            ]

    with pytest.raises(BrokenModelError, match="box \\[nan"):
        await infer(NanRuntime(), [work(0, 10), work(1, 20)])


async def test_a_model_that_fails_on_everything_is_not_the_frames_fault() -> None:
    """After a fault of the device no frame is dead-lettered: the stage raises, and they stay uncommitted."""

    class BrokenRuntime(FaultyRuntime):
        def warmup(self) -> None:
            raise RuntimeError("CUDA error: device-side assert")

    works = [work(0, POISON), work(1, POISON)]
    with pytest.raises(BrokenModelError, match=r"fake.*device-side assert.*illegal instruction"):
        await infer(BrokenRuntime(_raise), works)


async def test_the_stage_tells_how_long_it_has_been_busy() -> None:
    """A batch that hangs can be seen from outside; a stage at rest is not busy."""
    entered, let_go = threading.Event(), threading.Event()

    class SlowRuntime(FakeRuntime):
        def infer(self, images: Sequence[Image]) -> list[Detections]:
            entered.set()
            let_go.wait(10)
            return super().infer(images)

    with closing(InferenceStage(SlowRuntime())) as stage:
        assert stage.busy_s == 0
        batch = asyncio.create_task(stage.infer([work(0, 10)]))
        await asyncio.to_thread(entered.wait, 10)
        assert stage.busy_s > 0
        let_go.set()
        await batch
        assert stage.busy_s == 0


async def test_a_batch_without_a_sound_frame_needs_no_model() -> None:
    """Nothing to see is no reason to call it."""
    works = [work(0, POISON)]
    works[0].fail(CorruptImageError("cut short"))
    await infer(FaultyRuntime(_raise), works)
    assert isinstance(works[0].error, CorruptImageError)


class HeldRuntime(FakeRuntime):
    """Answers once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let_go = threading.Event(), threading.Event()
        self.closed_after: list[int] = []
        self.calls = 0

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Wait, then find."""
        self.entered.set()
        self.let_go.wait(10)
        self.calls += 1
        return super().infer(images)

    def close(self) -> None:
        """Remember when."""
        self.closed_after.append(self.calls)


async def test_a_batch_that_takes_too_long_ends_the_stage() -> None:
    """The error names the model and the setting; the thread that hangs is left behind."""
    runtime = HeldRuntime()
    with (
        closing(InferenceStage(runtime, stall_exit_s=0.05)) as stage,
        pytest.raises(StalledModelError, match=r"fake.*batch of 2 frames.*pipeline\.stall_exit_s"),
    ):
        await stage.infer([work(0, 10), work(1, 20)])
    runtime.let_go.set()


async def test_an_exchange_takes_effect_with_the_next_batch() -> None:
    """The batch in progress is the old model's to its end, and carries its name; only then it is let go."""
    old, new = HeldRuntime(), FakeRuntime()
    new.model_version = "new"
    with closing(InferenceStage(old)) as stage:
        batch = asyncio.create_task(stage.infer([work(0, 10)]))
        await asyncio.to_thread(old.entered.wait, 10)
        letting_go = asyncio.create_task(stage.let_go(stage.switch(new)))
        old.let_go.set()
        assert (await batch).model.reference.version == old.model_version
        assert (await stage.infer([work(1, 10)])).model.reference.version == "new"
        await letting_go
    assert (old.calls, old.closed_after) == (1, [1])


async def test_sound_frames_of_the_last_batch_are_kept_as_a_sample() -> None:
    """At most four, none that failed; a batch without any leaves those of the one before."""
    with closing(InferenceStage(FaultyRuntime(_raise))) as stage:
        await stage.infer([work(0, POISON), *(work(number, number) for number in range(1, 8))])
        assert [image.max() for image in stage.sample] == [1, 2, 3, 4]
        await stage.infer([work(8, POISON)])
        assert [image.max() for image in stage.sample] == [1, 2, 3, 4]
