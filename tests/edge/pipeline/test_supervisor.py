"""The pipeline as a whole, over a source and a publisher that tests hold in hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest

from edge.bus.record import Record
from edge.bus.sinks import AtLeastOnce
from edge.contracts import FrameOrigin, Inspection, RawFrame
from edge.contracts.encoding import decode_record
from edge.errors import DrainTimeoutError, PublishError
from edge.pipeline.decode import Image
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.identify import Identifier
from edge.pipeline.inference import InferenceStage
from edge.pipeline.supervisor import Pipeline
from edge.pipeline.work import Work
from edge.settings import CameraSettings, KafkaSettings, PipelineSettings
from edge.telemetry.metrics import Metrics
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime

KAFKA = KafkaSettings()
CAMERAS = {"cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.5)}
PNG = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()


class ListedSource:
    """Hands out frames as room allows, and remembers what became of them."""

    def __init__(self, frames: Sequence[RawFrame]) -> None:
        self.waiting = list(frames)
        self.taken = 0
        self.done_origins: list[FrameOrigin] = []
        self.committed = 0
        self.polls_without_room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return self.taken - len(self.done_origins)

    async def poll(self, max_frames: int) -> list[RawFrame]:
        """Give at most so many."""
        await asyncio.sleep(0)
        if max_frames == 0:
            self.polls_without_room.set()
        given, self.waiting = self.waiting[:max_frames], self.waiting[max_frames:]
        self.taken += len(given)
        return given

    def due(self, _: object, offsets: Sequence[int]) -> Sequence[int]:
        """Nothing is given up here."""
        return offsets

    def done(self, origin: FrameOrigin) -> None:
        """Remember."""
        self.done_origins.append(origin)

    async def commit(self) -> None:
        """Remember how far it was."""
        self.committed = len(self.done_origins)


class ListedPublisher:
    """Keeps what is published, unless it is told to refuse."""

    def __init__(self, refusal: PublishError | None = None) -> None:
        self.records: list[Record] = []
        self.changed = asyncio.Condition()
        self._refusal = refusal

    async def publish(self, records: Sequence[Record]) -> None:
        """Take them."""
        if self._refusal is not None:
            raise self._refusal
        async with self.changed:
            self.records += records
            self.changed.notify_all()

    def inspections(self) -> list[Inspection]:
        """What was published to the audit trail."""
        values = [record.value for record in self.records if record.topic == KAFKA.inspections_topic]
        return [decode_record(value, Inspection) for value in values]

    async def wait_for(self, inspections: int) -> None:
        """Wait until so many frames have their record."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.inspections()) >= inspections)


class HeldRuntime(FakeRuntime):
    """Answers only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Wait, then find."""
        self.let_go.wait(10)
        return super().infer(images)


class CountingDecoding(DecodingStage):
    """Counts the frames whose decoding was started."""

    started = 0

    def start(self, raw: RawFrame) -> asyncio.Future[Work]:
        """Count and start."""
        self.started += 1
        return super().start(raw)


def frames(count: int) -> list[RawFrame]:
    """Frames of one camera, every third of them cut short."""
    return [
        RawFrame(FrameOrigin("frames.cam1", 0, n), 0, b"cam1", (), PNG[: 30 if n % 3 == 2 else None])
        for n in range(count)
    ]


def pipeline_of(
    source: ListedSource,
    publisher: ListedPublisher,
    runtime: FakeRuntime | None = None,
    *,
    queue_frames: int = 8,
    drain_timeout_s: float = 10.0,
    max_decoded_bytes: int = 10**6,
) -> Pipeline:
    """A pipeline between the two."""
    runtime, metrics = runtime or FakeRuntime(), Metrics()
    return Pipeline(
        source,  # type: ignore[arg-type] # stands in for Kafka
        decoding=CountingDecoding(Identifier("line-1", CAMERAS), threads=2, max_pixels=10**6),
        inference=InferenceStage(runtime),
        delivery=DeliveryStage(
            AtLeastOnce(publisher, source),  # type: ignore[arg-type] # they stand in for Kafka
            KAFKA,
            metrics,
        ),
        settings=PipelineSettings(
            max_batch=4,
            max_wait_ms=1,
            queue_frames=queue_frames,
            commit_interval_ms=1,
            drain_timeout_s=drain_timeout_s,
            max_decoded_bytes=max_decoded_bytes,
        ),
        metrics=metrics,
    )


@asynccontextmanager
async def running(pipeline: Pipeline) -> AsyncIterator[asyncio.Event]:
    """A pipeline at work; leaving waits for its end."""
    stop = asyncio.Event()
    work = asyncio.create_task(pipeline.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await work


async def test_the_order_of_a_camera_is_kept() -> None:
    """Threads decode side by side and some frames fail, but results leave in the order of intake."""
    source, publisher = ListedSource(frames(50)), ListedPublisher()
    async with running(pipeline_of(source, publisher)):
        await publisher.wait_for(50)
    inspections = publisher.inspections()
    assert [inspection.frame.offset for inspection in inspections] == list(range(50))
    assert [inspection.outcome for inspection in inspections[:3]] == ["inspected", "inspected", "failed"]
    assert [origin.offset for origin in source.done_origins] == list(range(50))


async def test_a_stop_finishes_and_commits_what_is_in_flight() -> None:
    """Whatever was taken in before the stop has its record and its commit; nothing more is taken in."""
    source, publisher = ListedSource(frames(500)), ListedPublisher()
    async with running(pipeline_of(source, publisher)) as stop:
        await publisher.wait_for(1)
        stop.set()
    assert source.waiting, "the stop came before the last frame"
    assert source.taken == len(publisher.inspections()) == source.committed


async def test_a_busy_model_stops_the_intake_but_not_the_polls() -> None:
    """Memory is bounded by the queue, while the source is still asked, so that the group keeps its member."""
    runtime = HeldRuntime()
    source, publisher = ListedSource(frames(100)), ListedPublisher()
    async with running(pipeline_of(source, publisher, runtime, queue_frames=8)):
        await source.polls_without_room.wait()
        assert source.taken <= 8 + 4  # the queue, and the batch that the model holds
        runtime.let_go.set()
        await publisher.wait_for(100)


async def test_large_frames_wait_for_memory() -> None:
    """Decoding does not begin while the pixels of the frames before would fill the budget."""
    runtime, source, publisher = HeldRuntime(), ListedSource(frames(20)), ListedPublisher()
    pipeline = pipeline_of(source, publisher, runtime, max_decoded_bytes=3 * 8 * 8)
    async with running(pipeline):
        decoding = pipeline._decoding
        assert isinstance(decoding, CountingDecoding)
        while decoding.started < 3:  # noqa: ASYNC110 - a test's own stand-in
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert decoding.started == 3
        runtime.let_go.set()
        await publisher.wait_for(20)


async def test_nothing_counts_as_done_before_it_is_acknowledged() -> None:
    """A record that the broker refuses for good ends the pipeline; its frames stay uncommitted."""
    source = ListedSource(frames(4))
    pipeline = pipeline_of(source, ListedPublisher(PublishError("inspections: too large")))
    with pytest.raises(PublishError, match="too large"):
        await pipeline.run(asyncio.Event())
    assert (source.done_origins, source.committed) == ([], 0)


async def test_a_model_that_hangs_does_not_hold_up_the_stop() -> None:
    """After the drain deadline the daemon gives up, and says how many frames will be read again."""
    runtime = HeldRuntime()
    source = ListedSource(frames(3))
    pipeline = pipeline_of(source, ListedPublisher(), runtime, drain_timeout_s=0.05)
    stop = asyncio.Event()
    work = asyncio.create_task(pipeline.run(stop))
    while source.taken < 3:  # noqa: ASYNC110 - a test's own stand-in
        await asyncio.sleep(0)
    stop.set()
    with pytest.raises(DrainTimeoutError, match="3 frames"):
        await work
    runtime.let_go.set()


class SlowlyCommitting(ListedSource):
    """Begins a commit before the last frame is delivered, and ends it after."""

    def __init__(self, frames: Sequence[RawFrame]) -> None:
        super().__init__(frames)
        self.committing = asyncio.Event()
        self.go_on = asyncio.Event()

    async def commit(self) -> None:
        """Commit what was done when it was asked to."""
        done = len(self.done_origins)
        self.committing.set()
        await self.go_on.wait()
        self.committed = done


async def test_the_last_commit_comes_after_the_last_frame() -> None:
    """A commit that was under way when the last frame was delivered does not count as the last one."""
    source, publisher = SlowlyCommitting(frames(3)), ListedPublisher()
    async with running(pipeline_of(source, publisher)) as stop:
        await source.committing.wait()
        await publisher.wait_for(3)
        stop.set()
        while source.in_flight:  # noqa: ASYNC110 - what is in flight has no event
            await asyncio.sleep(0)
        source.go_on.set()
    assert source.committed == 3
