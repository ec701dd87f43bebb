"""The pipeline as a whole, over a source and a publisher that tests hold in hand."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.bus.ledger import TopicPartition
from edge.bus.record import Record
from edge.bus.sinks import AtLeastOnce
from edge.contracts import FrameOrigin, Inspection, RawFrame
from edge.contracts.encoding import decode_record
from edge.errors import DrainTimeoutError, PublishError
from edge.pipeline.age_limit import AgeLimit
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
        self.paused: set[TopicPartition] = set()
        self.polls_without_room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return self.taken - len(self.done_origins)

    async def poll(
        self,
        max_frames: int,
        *,
        timeout_s: float = 0.0,
        ends_turn: Callable[[RawFrame], bool] = lambda _: False,
    ) -> list[RawFrame]:
        """Give at most so many, none of a topic that is paused or whose turn has ended."""
        await asyncio.sleep(0 if self.waiting else timeout_s)
        if max_frames == 0:
            self.polls_without_room.set()
        given: list[RawFrame] = []
        closed = {partition.topic for partition in self.paused}
        for raw in self.waiting:
            if len(given) < max_frames and raw.origin.topic not in closed:
                given.append(raw)
                closed |= {raw.origin.topic} if ends_turn(raw) else set()
        self.waiting = [raw for raw in self.waiting if raw not in given]
        self.taken += len(given)
        return given

    def due(self, _: object, offsets: Sequence[int]) -> Sequence[int]:
        """Nothing is given up here."""
        return offsets

    def pause(self, *partitions: TopicPartition) -> None:
        """Give none of these."""
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Give of these again."""
        self.paused.difference_update(partitions)

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

    def start(self, work: Work) -> asyncio.Future[Work]:
        """Count and start."""
        self.started += 1
        return super().start(work)


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
    max_frame_age_ms: float | None = None,
    target_p99_ms: float | None = None,
    metrics: Metrics | None = None,
) -> Pipeline:
    """A pipeline between the two."""
    runtime, metrics = runtime or FakeRuntime(), metrics or Metrics()
    age_limit = None if max_frame_age_ms is None else AgeLimit(max_frame_age_ms)
    return Pipeline(
        source,  # type: ignore[arg-type] # stands in for Kafka
        decoding=CountingDecoding(
            Identifier("line-1", CAMERAS), threads=2, max_pixels=10**6, age_limit=age_limit
        ),
        inference=InferenceStage(runtime),
        delivery=DeliveryStage(
            AtLeastOnce(publisher, source),  # type: ignore[arg-type] # they stand in for Kafka
            KAFKA,
            metrics,
            latency_objective_ms=1000,
        ),
        settings=PipelineSettings(
            max_batch=4,
            max_wait_ms=1,
            queue_frames=queue_frames,
            commit_interval_ms=1,
            drain_timeout_s=drain_timeout_s,
            max_decoded_bytes=max_decoded_bytes,
            overload="shed" if age_limit else "block",
            max_frame_age_ms=max_frame_age_ms,
            target_p99_ms=target_p99_ms,
        ),
        metrics=metrics,
        age_limit=age_limit,
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
        decoding = pipeline._admission._decoding
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


def is_at_work(task: "asyncio.Task[object]") -> bool:
    """Whether it is the stage before delivery, which ends when there is nothing left to deliver."""
    return getattr(task.get_coro(), "__qualname__", "") == "Pipeline._infer"


async def test_the_last_commit_comes_after_the_last_frame() -> None:
    """A commit that was under way when the last frame was delivered does not count as the last one."""
    source, publisher = SlowlyCommitting(frames(3)), ListedPublisher()
    async with running(pipeline_of(source, publisher)) as stop:
        await source.committing.wait()
        await publisher.wait_for(3)
        stop.set()
        while any(is_at_work(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - stages have no event
            await asyncio.sleep(0)
        for _ in range(3):  # delivery learns of the end behind the last frame
            await asyncio.sleep(0)
        source.go_on.set()
    assert source.committed == 3


def aged(frames: Sequence[RawFrame], age_s: float) -> list[RawFrame]:
    """The same frames, published so long ago."""
    return [replace(raw, timestamp_ms=round((time.time() - age_s) * 1000)) for raw in frames]


async def test_shedding_keeps_the_order_and_sets_nothing_aside() -> None:
    """Old and young frames of a camera alternate, a corrupt one among each: results leave in their order.

    Skipped frames are done and committed as all others, counted in frames and metres, and no dead letters.
    """
    old, young = aged(frames(60), 3600), frames(60)
    mixed = [old[n] if n % 4 < 2 else young[n] for n in range(60)]
    source, publisher, metrics = ListedSource(mixed), ListedPublisher(), Metrics()
    async with running(pipeline_of(source, publisher, max_frame_age_ms=60_000, metrics=metrics)):
        await publisher.wait_for(60)
    inspections = publisher.inspections()
    assert [inspection.frame.offset for inspection in inspections] == list(range(60))
    assert [origin.offset for origin in source.done_origins] == list(range(60))
    assert source.committed == 60
    skipped = [inspection.outcome == "skipped" for inspection in inspections]
    assert skipped == [n % 4 < 2 for n in range(60)]
    failed = [inspection.frame.offset for inspection in inspections if inspection.outcome == "failed"]
    assert failed == [n for n in range(60) if n % 3 == 2 and n % 4 >= 2]
    dead_letters = [record for record in publisher.records if record.topic == KAFKA.dead_letter_topic]
    assert len(dead_letters) == len(failed)
    told = next(inspection for inspection in inspections if inspection.outcome == "skipped")
    assert (told.reason, told.model, told.width_px, told.height_px) == ("too_old", None, 8, 8)
    assert told.strip_mm is not None
    labels = {"line": "line-1", "camera": "cam1"}
    value = metrics.registry.get_sample_value
    assert value("stripsight_skipped_frames_total", labels | {"reason": "too_old"}) == 30
    assert value("stripsight_skipped_strip_meters_total", labels | {"reason": "too_old"}) == pytest.approx(
        0.12
    )
    assert value("stripsight_frames_total", labels | {"outcome": "skipped"}) == 30
    assert value("stripsight_batch_frames_sum") == 30  # the model's batches are of the others


async def test_frames_that_grew_too_old_in_the_queue_make_room_for_fresh_ones() -> None:
    """While a batch hangs, those behind it grow too old; the next batch is full of frames that are not."""
    runtime, source, publisher = HeldRuntime(), ListedSource(frames(1)), ListedPublisher()
    pipeline = pipeline_of(source, publisher, runtime, max_frame_age_ms=700)
    async with running(pipeline), asyncio.timeout(10):
        while not pipeline._inference.busy_s:  # noqa: ASYNC110 - a test's own stand-in
            await asyncio.sleep(0)
        source.waiting += aged(frames(8)[1:], 0.3)
        while source.taken < 8:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)  # what passes is what the limit is about
        source.waiting += aged(frames(20)[8:], -60)
        runtime.let_go.set()
        await publisher.wait_for(20)
    inspections = publisher.inspections()
    assert [inspection.frame.offset for inspection in inspections] == list(range(20))
    assert {inspection.outcome for inspection in inspections[1:8]} <= {"skipped", "failed"}
    looked_at = [inspection for inspection in inspections[8:] if inspection.outcome == "inspected"]
    assert len(looked_at) == sum(n % 3 != 2 for n in range(8, 20))


async def test_a_camera_with_old_frames_is_drained_while_another_fills_the_queue() -> None:
    """What is skipped needs no room: a busy model and a full queue hold up no camera whose frames are old."""
    runtime = HeldRuntime()
    fresh = [raw for raw in frames(100) if raw.origin.offset % 3 != 2]
    stale = [
        replace(raw, origin=FrameOrigin("frames.cam2", 0, raw.origin.offset))
        for raw in aged(frames(500), 3600)
    ]
    source, publisher = ListedSource(fresh + stale), ListedPublisher()
    pipeline = pipeline_of(source, publisher, runtime, queue_frames=8, max_frame_age_ms=60_000)
    async with running(pipeline):
        async with asyncio.timeout(10):
            while any(raw.origin.topic == "frames.cam2" for raw in source.waiting):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert len(source.waiting) >= len(fresh) - 8 - 4 - 1  # the queue, the model's batch, one at a look
        runtime.let_go.set()
        await publisher.wait_for(len(fresh) + 500)


async def test_batches_follow_a_target_for_latency() -> None:
    """With target_p99_ms the limits of batches are measured, and the metrics tell them."""
    source, publisher, metrics = ListedSource(frames(60)), ListedPublisher(), Metrics()
    runtime = FakeRuntime(delay_ms_per_frame=20)
    pipeline = pipeline_of(source, publisher, runtime, queue_frames=1, target_p99_ms=1, metrics=metrics)
    async with running(pipeline):
        await publisher.wait_for(60)
    assert metrics.registry.get_sample_value("stripsight_batch_limit_frames") == 1
    assert metrics.registry.get_sample_value("stripsight_batch_wait_seconds") == 0
    batches = metrics.registry.get_sample_value("stripsight_batch_frames_bucket", {"le": "1.0"})
    assert batches == 60
