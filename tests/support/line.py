"""A line for tests of the whole daemon: cameras on a broker, the daemon, and the audit of its records."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
from blockbuster import blockbuster_ctx

from edge.bus.publisher import Record
from edge.bus.topics import ensure_topics
from edge.contracts import FrameMetadata
from edge.contracts.cloudevents import encode_headers
from edge.daemon import Daemon
from edge.pipeline.exchange import Load
from edge.settings import HttpSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings

HEIGHT_PX, WIDTH_PX = 64, 96
DEADLINE_S = 60.0  # for what takes seconds, on a busy machine


async def line_settings(
    bootstrap_servers: str, *, cameras: int = 2, delivery: str = "at_least_once", **sections: Any
) -> Settings:
    """Settings of a daemon whose topics are there, and its own; further sections as ``Settings`` has them."""
    run = uuid4().hex[:8]
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        group_id=f"line-{run}",
        frame_topics=[f"frames.{run}-cam{number}" for number in range(cameras)],
        defects_topic=f"defects-{run}",
        inspections_topic=f"inspections-{run}",
        dead_letter_topic=f"dead-letter-{run}",
        session_timeout_ms=6000,
        delivery=delivery,  # type: ignore[arg-type] # pydantic checks it
    )
    await ensure_topics(kafka)
    await ensure_topics(kafka, kafka.frame_topics or [])
    parts = {
        "pipeline": PipelineSettings(max_batch=4, max_wait_ms=5, commit_interval_ms=20),
        "model": ModelSettings(runtime="fake"),
        "http": HttpSettings(port=0),
    }
    return Settings.model_validate({"kafka": kafka, **(parts | sections)})


@asynccontextmanager
async def running(settings: Settings, load: Load | None = None) -> AsyncIterator[Daemon]:
    """A daemon that is ready, and that is stopped in order afterwards; it must not block the event loop."""
    daemon, stop = Daemon(settings, **({"load": load} if load else {})), asyncio.Event()
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


def picture(number: int, *, shade: int | None = None) -> bytes:
    """A frame like no other, or one of a single shade."""
    size = (HEIGHT_PX, WIDTH_PX)
    noise = np.random.default_rng(number).integers(0, 200, size, np.uint8)
    pixels = noise if shade is None else np.full(size, shade, np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def frame(topic: str, sequence: int, value: bytes, *, age_s: float = 0.0) -> Record:
    """A frame as a camera publishes it: 0.5 mm a pixel, 64 rows a frame, the first column at 100 mm."""
    camera = topic.removeprefix("frames.")
    metadata = FrameMetadata(
        line="line-1",
        camera=camera,
        coil="C-1",
        side="top",
        sequence=sequence,
        position_mm=sequence * HEIGHT_PX * 0.5,
        offset_mm=100.0,
        pitch_x_mm=0.5,
        pitch_y_mm=0.5,
        captured_at=datetime.now(UTC) - timedelta(seconds=age_s),
        content_type="image/png",
    )
    return Record(topic, value=value, key=camera.encode(), headers=encode_headers(metadata))


@asynccontextmanager
async def daemon_process(
    settings: Settings, *, stderr: int | None = None, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``stripsight run`` in a process of its own; it is killed if it has not ended with the block.

    Nothing but warnings is logged, unless somebody reads along: ``stderr=PIPE``.
    """
    sections = {
        f"STRIPSIGHT_{name.upper()}": section.model_dump_json(exclude_none=True)
        for name, section in settings
        if name in {"kafka", "model", "pipeline", "http"}
    }
    level = {"STRIPSIGHT_LOG__LEVEL": "warning" if stderr is None else "info"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "edge.cli", "run"),
        env=os.environ | sections | level | environment,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Log:
    """What a daemon tells on its standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        self._lines = process.stderr
        self.text = ""

    async def line(self, event: str) -> dict[str, str]:
        """Read on to the line that tells of an event."""
        async with asyncio.timeout(60):
            async for line in self._lines:
                self.text += line.decode()
                entry: dict[str, str] = json.loads(line)
                if entry["event"] == event:
                    return entry
        raise AssertionError(f"no word of {event!r}: {self.text}")
