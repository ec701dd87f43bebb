"""What a frame costs in CPU time, stage by stage: the daemon with a runtime that is no model.

Each stage runs alone, on frames and records as they are, on Kafka where it talks to Kafka; the daemon as a
whole is measured from outside. What it costs beyond decoding and the runtime is what the pipeline costs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

from edge.bus.publisher import Publisher
from edge.bus.record import FrameResults
from edge.bus.source import FrameSource
from edge.cli.event_loop import run_service
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.pipeline.decode import decode_image
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.identify import Identifier
from edge.pipeline.serving import Serving
from edge.pipeline.work import Batch, Work
from edge.settings import ModelSettings
from edge.telemetry.metrics import Metrics
from edge.vision.fake import FakeRuntime
from tests.bench.daemon import MS_PER_S, a_kafka, run_daemon, why_no_kafka
from tests.bench.figures import Figures, Result, table_of
from tests.bench.frames import MAX_PIXELS, jpegs
from tests.support.frame_topics import FrameTopics

__all__ = ["measure", "table_of", "why_not"]

why_not = why_no_kafka

Yield = TypeVar("Yield")

FRAMES, WARM = 2400, 400
BATCH = 8
ALLOWED_CPU_MS = 0.5  # a frame, beyond decoding


def measure(repetitions: int) -> Result:
    """Take the stages and the whole in turn."""
    figures = Figures("CPU of a frame of 1600 × 256 in the daemon, fake runtime")
    with a_kafka() as kafka:
        for _ in range(repetitions):
            decode_ms = _decoding()
            figures.add("decode", cpu_ms_per_frame=decode_ms)
            stages = run_service(_stages(kafka))
            for name, cpu_ms in stages.items():
                figures.add(name, cpu_ms_per_frame=cpu_ms)
            whole = run_daemon(kafka, ModelSettings(runtime="fake"), FRAMES, warm=WARM)
            beyond_ms = whole.cpu_ms_per_frame - decode_ms - stages["runtime (fake)"]
            figures.add("all but decode and runtime", cpu_ms_per_frame=beyond_ms)
            figures.add(
                "the daemon",
                frames_per_s=whole.frames_per_s,
                cpu_ms_per_frame=whole.cpu_ms_per_frame,
                peak_mib=whole.peak_mib,
            )
            figures.add_ratio("decode / all but decode and runtime", decode_ms / beyond_ms)
            figures.add_ratio(f"{ALLOWED_CPU_MS} ms / all but decode and runtime", ALLOWED_CPU_MS / beyond_ms)
    return figures.result()


def _decoding() -> float:
    values, began = jpegs(), time.process_time()
    for number in range(FRAMES // 4):
        decode_image(values[number % len(values)], max_pixels=MAX_PIXELS)
    return (time.process_time() - began) / (FRAMES // 4) * MS_PER_S


async def _stages(kafka: str) -> dict[str, float]:
    """CPU ms a frame of each stage in turn; what one yields is what the next one gets."""
    with closing(FrameTopics(kafka, jpegs())) as topics:
        await asyncio.to_thread(topics.publish, FRAMES)
        settings = topics.new_group()
        async with FrameSource(settings) as source:
            await source.ready()
            raws, intake_ms = await _cpu_ms(partial(_take_in, source))
        decoding = DecodingStage(Identifier("line-1", {}), threads=1, max_pixels=MAX_PIXELS)
        works, contracts_ms = await _cpu_ms(partial(_identify, decoding, raws))
        batches = [works[first : first + BATCH] for first in range(0, len(works), BATCH)]
        serving = Serving(FakeRuntime())
        runtime_ms, checked_ms = await _infer(serving, batches)
        sink = _Shelf()
        stage = DeliveryStage(sink, settings, Metrics(), latency_objective_ms=1000)
        served = [Batch(number, each, 0.0, serving.model) for number, each in enumerate(batches)]
        _, results_ms = await _cpu_ms(partial(_deliver, stage, served))
        async with Publisher(settings) as publisher:
            _, publish_ms = await _cpu_ms(partial(_publish, publisher, sink.shelved))
        decoding.close()
    return {
        "runtime (fake)": runtime_ms,
        "intake": intake_ms,
        "contracts: headers to work": contracts_ms,
        "contracts: answers checked": checked_ms,
        "contracts: results, and metrics": results_ms,
        "publish": publish_ms,
    }


class _Shelf:
    """A sink that acknowledges at once, and keeps what it was given."""

    def __init__(self) -> None:
        self.shelved: list[Sequence[FrameResults]] = []

    async def deliver(self, results: Sequence[FrameResults]) -> frozenset[FrameOrigin]:
        self.shelved.append(results)
        return frozenset(each.origin for each in results)


async def _cpu_ms(stage: Callable[[], Awaitable[Yield]]) -> tuple[Yield, float]:
    began = time.process_time()
    result = await stage()
    return result, (time.process_time() - began) / FRAMES * MS_PER_S


async def _take_in(source: FrameSource) -> list[RawFrame]:
    raws: list[RawFrame] = []
    while len(raws) < FRAMES:
        taken = await source.poll(BATCH)
        for raw in taken:
            source.done(raw.origin)
        raws += taken
    await source.commit()
    return raws


async def _identify(decoding: DecodingStage, raws: Sequence[RawFrame]) -> list[Work]:
    return [decoding.identify(raw) for raw in raws]


async def _infer(serving: Serving, batches: Sequence[Sequence[Work]]) -> tuple[float, float]:
    """CPU ms a frame of the runtime, and of what looks after it."""
    images = [decode_image(value, max_pixels=MAX_PIXELS) for value in jpegs()[:BATCH]]
    for batch in batches:
        for work, image in zip(batch, images, strict=True):
            work.image, (work.height_px, work.width_px) = image, image.shape[:2]

    async def look() -> None:
        for batch in batches:
            serving.look(batch)

    async def infer() -> None:
        for _ in batches:
            serving.runtime.infer(images)

    _, both_ms = await _cpu_ms(look)
    _, runtime_ms = await _cpu_ms(infer)
    return runtime_ms, both_ms - runtime_ms


async def _deliver(stage: DeliveryStage, batches: Sequence[Batch]) -> None:
    for batch in batches:
        await stage.deliver(batch)


async def _publish(publisher: Publisher, batches: Sequence[Sequence[FrameResults]]) -> None:
    for batch in batches:
        await publisher.publish([record for frame in batch for record in frame.records])
