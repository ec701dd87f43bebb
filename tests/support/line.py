"""A line in small: frames like no other, cameras that feed them, and daemons in this process or their own."""

import asyncio
import contextlib
import os
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self

import cv2
import numpy as np
from blockbuster import blockbuster_ctx
from prometheus_client.parser import text_string_to_metric_families

from edge.bus.publisher import Publisher
from edge.bus.record import Record
from edge.contracts import FrameMetadata
from edge.contracts.cloudevents import encode_headers
from edge.daemon import Daemon
from edge.settings import KafkaSettings, Settings


def image(number: int) -> bytes:
    """A frame like no other: 96 x 64 px of noise."""
    pixels = np.random.default_rng(number).integers(0, 255, (64, 96), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def frame(topic: str, sequence: int, value: bytes) -> Record:
    """A frame as a camera publishes it: 0.5 mm a pixel, 64 rows a frame."""
    camera = topic.removeprefix("frames.")
    metadata = FrameMetadata(
        line="line-1",
        camera=camera,
        coil="C-1",
        side="top",
        sequence=sequence,
        position_mm=sequence * 32.0,
        offset_mm=100.0,
        pitch_x_mm=0.5,
        pitch_y_mm=0.5,
        captured_at=datetime.now(UTC),
        content_type="image/png",
    )
    return Record(topic, value=value, key=camera.encode(), headers=encode_headers(metadata))


class Cameras:
    """One camera on each topic, at so many frames a second, for the length of an ``async with``.

    They go on whatever happens to daemon and broker, and publish what is outstanding before they end.
    """

    def __init__(self, kafka: KafkaSettings, *, frames_a_second: float = 50) -> None:
        self.published = 0
        self._kafka = kafka
        self._interval_s = 1 / frames_a_second
        self._stop = asyncio.Event()
        self._progress = asyncio.Condition()
        self._images = [image(number) for number in range(20)]

    async def __aenter__(self) -> Self:
        self._feeding = asyncio.create_task(self._feed())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.finish()

    async def finish(self) -> None:
        """Publish what is outstanding, and end."""
        self._stop.set()
        await self._feeding

    async def publish_more(self, frames: int) -> None:
        """Wait until so many more frames are on their topics."""
        goal = self.published + frames
        async with self._progress:
            await self._progress.wait_for(lambda: self.published >= goal or self._feeding.done())
        if self._feeding.done():
            await self._feeding

    async def _feed(self) -> None:
        topics, sequence = self._kafka.frame_topics or [], 0
        async with Publisher(self._kafka) as publisher:
            while not self._stop.is_set():
                value = self._images[sequence % len(self._images)]
                await publisher.publish([frame(topic, sequence, value) for topic in topics])
                sequence += 1
                async with self._progress:
                    self.published += len(topics)
                    self._progress.notify_all()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_s):
                        await self._stop.wait()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Daemon]:
    """A daemon that is ready, and that is stopped in order afterwards; it must not block the event loop."""
    daemon, stop = Daemon(settings), asyncio.Event()
    with blockbuster_ctx("edge"):
        serving = asyncio.create_task(daemon.run(stop))
        ready = asyncio.create_task(daemon.ready.wait())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            if daemon.ready.is_set():
                yield daemon
        finally:
            stop.set()
            await serving


@asynccontextmanager
async def daemon_process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """``stripsight run`` in a process of its own."""
    environment = {
        "STRIPSIGHT_KAFKA": settings.kafka.model_dump_json(exclude={"sasl_password"}),
        "STRIPSIGHT_MODEL": settings.model.model_dump_json(),
        "STRIPSIGHT_PIPELINE": settings.pipeline.model_dump_json(),
        "STRIPSIGHT_HTTP": settings.http.model_dump_json(),
        "STRIPSIGHT_LOG__LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", "run", env=os.environ | environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def get(url: str) -> str:
    """Fetch a page, as Prometheus does."""

    def fetch() -> str:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the daemon's own address
            return str(answer.read().decode())

    return await asyncio.to_thread(fetch)


def total(metrics: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
