"""A model that misbehaves, over Apache Kafka: every frame has exactly one record, and the right one."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge.bus.publisher import Publisher
from edge.bus.results import ResultReader
from edge.errors import BrokenModelError, StalledModelError
from edge.pipeline.decode import Image
from edge.settings import ModelSettings, PipelineSettings, Settings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from tests.conftest import Until
from tests.support.http import ask, get, total
from tests.support.line import Log, daemon_process, frame, line_settings, picture
from tests.support.reader import committed, read_along

POISON = 255
FRAMES, POISONED = 40, 17


@pytest.fixture(params=["at_least_once", "exactly_once"])
def delivery(request: pytest.FixtureRequest) -> str:
    """Either promise."""
    return str(request.param)


class PoisonedRuntime(FakeRuntime):
    """Does something else with a batch in which a frame is all white."""

    def __init__(self, fault: Callable[[int, list[Detections]], list[Detections]]) -> None:
        super().__init__()
        self._fault = fault

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find what there is; then do what is wrong with the place of the white frame."""
        found = super().infer(images)
        white = [number for number, image in enumerate(images) if image.min() == POISON]
        return self._fault(white[0], found) if white else found


def raises(_place: int, _found: list[Detections]) -> list[Detections]:
    """Fail."""
    raise RuntimeError("CUDNN_STATUS_EXECUTION_FAILED")


def runs_out_of_memory(_place: int, _found: list[Detections]) -> list[Detections]:
    """Ask for more than there is, in earnest."""
    np.empty(2**50)
    raise AssertionError("so much memory there is nowhere")


def answers_too_few(place: int, found: list[Detections]) -> list[Detections]:
    """Leave a frame out."""
    return found[:place] + found[place + 1 :]


def answers_nan(place: int, found: list[Detections]) -> list[Detections]:
    """Answer no number for the white frame."""
    boxes = np.full_like(found[place].boxes, np.nan)
    return [replace(one, boxes=boxes) if at == place else one for at, one in enumerate(found)]


@pytest.mark.parametrize(
    ("fault", "reason", "told"),
    [
        (raises, "inference_failed", "RuntimeError: CUDNN_STATUS_EXECUTION_FAILED"),
        (runs_out_of_memory, "out_of_memory", "Unable to allocate 8.00 PiB"),
        (answers_too_few, "inference_failed", "the model answered 0 frames when asked for 1"),
        (answers_nan, "inference_failed", "box [nan, nan, nan, nan]"),
    ],
)
async def test_a_fault_stays_with_the_frame_that_causes_it(
    apache_kafka: str,
    delivery: str,
    fault: Callable[[int, list[Detections]], list[Detections]],
    reason: str,
    told: str,
) -> None:
    """The frame is failed, with its reason, and set aside whole; its neighbours are inspected."""
    settings = await line_settings(apache_kafka, delivery=delivery)
    topics = settings.kafka.frame_topics or []
    poison = frame(topics[0], POISONED, picture(0, shade=POISON))
    async with (
        ResultReader(settings.kafka, settings.kafka.dead_letter_topic) as dead_letters,
        read_along(settings, lambda _: PoisonedRuntime(fault)) as (_, publisher, audit),
    ):
        frames = [frame(topic, number, picture(number)) for number in range(FRAMES) for topic in topics]
        frames[POISONED * len(topics)] = poison
        await publisher.publish(frames)
        await audit.close_account(len(frames))
        dead = await anext(dead_letters)
    failed = [one for one in audit.inspections if one.outcome != "inspected"]
    assert [(one.frame.topic, one.frame.offset) for one in failed] == [(topics[0], POISONED)]
    assert (failed[0].outcome, failed[0].reason, failed[0].model) == ("failed", reason, None)
    assert told in (failed[0].detail or "")
    assert (dead.key, dead.value) == (poison.key, poison.value)
    assert {defect.frame.id for defect in audit.defects} == {
        one.id for one in audit.inspections if one.outcome == "inspected"
    }
    assert await committed(settings.kafka) == dict.fromkeys(topics, FRAMES)


class SmallRuntime(FakeRuntime):
    """Has memory for three frames a call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find, if they fit."""
        self.calls.append(len(images))
        if len(images) > 3:
            np.empty(2**50)
        return super().infer(images)


async def test_batches_that_are_too_large_for_the_memory_become_smaller(
    apache_kafka: str, delivery: str
) -> None:
    """No frame fails, and only one call did."""
    settings = await line_settings(apache_kafka, delivery=delivery, cameras=1)
    (topic,) = settings.kafka.frame_topics or []
    runtime = SmallRuntime()
    async with read_along(settings, lambda _: runtime) as (_, publisher, audit):
        await publisher.publish([frame(topic, number, picture(number)) for number in range(FRAMES)])
        await audit.close_account(FRAMES)
    assert {one.outcome for one in audit.inspections} == {"inspected"}
    assert [call for call in runtime.calls if call > 3] == [4]
    assert await committed(settings.kafka) == {topic: FRAMES}


class StallingRuntime(FakeRuntime):
    """Hangs at its second batch until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.let_go = threading.Event()

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find, sooner or later."""
        self.calls += 1
        if self.calls == 2:
            self.let_go.wait(60)
        return super().infer(images)


def impatient(**more: float) -> PipelineSettings:
    """A batch is taken for stalled soon."""
    return PipelineSettings(max_batch=4, max_wait_ms=5, commit_interval_ms=20, stall_timeout_s=0.1, **more)


async def test_a_stall_is_seen_and_over_when_the_model_comes_back(
    apache_kafka: str, delivery: str, until: Until
) -> None:
    """Ready turns false while the model hangs and true again afterwards; each frame has its one record."""
    settings = await line_settings(apache_kafka, delivery=delivery, cameras=1, pipeline=impatient())
    (topic,) = settings.kafka.frame_topics or []
    runtime = StallingRuntime()
    async with read_along(settings, lambda _: runtime) as (daemon, publisher, audit):
        assert (await ask(f"{daemon.http_url}/readyz"))[0] == 200
        await publisher.publish([frame(topic, number, picture(number)) for number in range(FRAMES)])
        await until(lambda: not daemon.health.readiness().ok, timeout_s=30)
        for page in ("readyz", "healthz"):
            status, answer = await ask(f"{daemon.http_url}/{page}")
            assert (status, answer["checks"]["inference"]["ok"]) == (503, False)
        assert total(await get(f"{daemon.http_url}/metrics"), "stripsight_ready") == 0
        runtime.let_go.set()
        await audit.close_account(FRAMES)
        await until(lambda: daemon.health.readiness().ok)
        assert (await ask(f"{daemon.http_url}/readyz"))[0] == 200
        assert total(await get(f"{daemon.http_url}/metrics"), "stripsight_ready") == 1
    assert {one.outcome for one in audit.inspections} == {"inspected"}
    assert await committed(settings.kafka) == {topic: FRAMES}


async def test_a_model_that_stays_stalled_ends_the_daemon(apache_kafka: str, delivery: str) -> None:
    """Its frames are uncommitted, and the next daemon inspects them: each has its one record in the end."""
    settings = await line_settings(
        apache_kafka, delivery=delivery, cameras=1, pipeline=impatient(stall_exit_s=0.5)
    )
    (topic,) = settings.kafka.frame_topics or []
    runtime = StallingRuntime()
    with pytest.raises(StalledModelError, match=r"at a batch of \d frames for 0\.5 s"):
        await _run_to_the_end(settings, runtime)
    before = (await committed(settings.kafka))[topic] or 0
    assert 0 < before <= 4
    async with read_along(settings) as (_, _, audit):
        await audit.until(lambda: len(audit.inspections) >= FRAMES - before)
    assert [one.frame.offset for one in audit.inspections] == list(range(before, FRAMES))
    runtime.let_go.set()


async def _run_to_the_end(settings: Settings, runtime: FakeRuntime) -> None:
    """Publish frames to a daemon that will end by itself."""
    (topic,) = settings.kafka.frame_topics or []
    async with read_along(settings, lambda _: runtime) as (daemon, publisher, _), asyncio.timeout(60):
        await publisher.publish([frame(topic, number, picture(number)) for number in range(FRAMES)])
        while True:
            try:
                await ask(f"{daemon.http_url}/healthz")
            except OSError:
                return
            await asyncio.sleep(0.05)


async def test_a_process_whose_model_hangs_ends_by_itself(apache_kafka: str, delivery: str) -> None:
    """With exit code 1, though the thread of the model never returns."""
    hanging = ModelSettings(runtime="fake", fake_delay_ms=3_600_000)
    settings = await line_settings(
        apache_kafka, delivery=delivery, cameras=1, pipeline=impatient(stall_exit_s=0.5), model=hanging
    )
    (topic,) = settings.kafka.frame_topics or []
    async with (
        asyncio.timeout(60),
        daemon_process(settings, stderr=asyncio.subprocess.PIPE) as process,
        Publisher(settings.kafka) as publisher,
    ):
        log = Log(process)
        await log.line("ready")
        await publisher.publish([frame(topic, 0, picture(0))])
        assert await process.wait() == 1
        assert "pipeline.stall_exit_s" in (await process.communicate())[1].decode()
    assert await committed(settings.kafka) == {topic: None}


class DeadRuntime(FakeRuntime):
    """Works until its device has a fault; then nothing works any more."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Find three times."""
        self.calls += 1
        if self.calls > 3:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return super().infer(images)


async def test_a_fault_of_the_device_is_nobody_s_frame_s_fault(apache_kafka: str, delivery: str) -> None:
    """The daemon ends rather than fail the whole strip; the next one inspects all that is left."""
    settings = await line_settings(apache_kafka, delivery=delivery, cameras=1)
    (topic,) = settings.kafka.frame_topics or []
    with pytest.raises(BrokenModelError, match="illegal memory access"):
        await _run_to_the_end(settings, DeadRuntime())
    before = (await committed(settings.kafka))[topic] or 0
    async with read_along(settings) as (_, _, audit):
        await audit.until(lambda: len(audit.inspections) >= FRAMES - before)
    assert [one.frame.offset for one in audit.inspections] == list(range(before, FRAMES))
    assert {one.outcome for one in audit.inspections} == {"inspected"}
