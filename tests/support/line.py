"""A line for tests of the whole daemon: cameras on a broker, the daemon, and the audit of its records."""

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import cv2
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from blockbuster import blockbuster_ctx

from consumers.subscription import Subscription
from edge.bus.publisher import Publisher, Record
from edge.bus.topics import ensure_topics
from edge.contracts import Defect, FrameMetadata, Inspection
from edge.contracts.cloudevents import encode_headers
from edge.daemon import Daemon
from edge.pipeline.exchange import Load
from edge.settings import HttpSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings
from edge.stopping import beside

HEIGHT_PX, WIDTH_PX = 64, 96
DEADLINE_S = 60.0  # for what takes seconds, on a busy machine


async def line_settings(bootstrap_servers: str, *, cameras: int = 2, **sections: Any) -> Settings:
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


def frame(topic: str, sequence: int, value: bytes) -> Record:
    """A frame as a camera publishes it."""
    camera = topic.removeprefix("frames.")
    metadata = FrameMetadata(
        line="line-1",
        camera=camera,
        coil="C-1",
        side="top",
        sequence=sequence,
        position_mm=sequence * HEIGHT_PX * 0.5,
        offset_mm=0.0,
        pitch_x_mm=0.5,
        pitch_y_mm=0.5,
        captured_at=datetime.now(UTC),
        content_type="image/png",
    )
    return Record(topic, value=value, key=camera.encode(), headers=encode_headers(metadata))


class Audit:
    """Reads every record that the daemon publishes, and checks that the account closes."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()
        self.inspections: list[Inspection] = []
        self.defects: list[Defect] = []

    async def __aenter__(self) -> Self:
        kafka = self._kafka
        await self._read(Subscription(kafka, kafka.inspections_topic, Inspection), self.inspections)
        await self._read(Subscription(kafka, kafka.defects_topic, Defect), self.defects)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _read(self, subscription: Subscription[Any], taken: list[Any]) -> None:
        """Read what comes from now on, until the end."""

        async def read() -> None:
            async for record in subscription:
                async with self._changed:
                    taken.append(record)
                    self._changed.notify_all()

        await self._stack.enter_async_context(subscription)
        await self._stack.enter_async_context(beside(read()))

    async def until(self, enough: Callable[[], object]) -> None:
        """Wait for a state of the records."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(enough)

    async def close_account(self, published: int) -> None:
        """Wait for so many frames to have their record and their defects; none has two."""
        await self.until(lambda: len(self.inspections) >= published)
        await self.until(lambda: len(self.defects) >= sum(one.defects for one in self.inspections))
        for records in (self.inspections, self.defects):
            assert len({record.id for record in records}) == len(records)
        assert len(self.inspections) == published

    def of(self, topic: str) -> list[Inspection]:
        """The inspections of one camera, in the order in which they were published."""
        return [inspection for inspection in self.inspections if inspection.frame.topic == topic]


@asynccontextmanager
async def audited(
    settings: Settings, load: Load | None = None
) -> AsyncIterator[tuple[Daemon, Publisher, Audit]]:
    """A daemon at work, a publisher for its frames, and whoever reads along."""
    async with (
        Audit(settings.kafka) as audit,
        running(settings, load) as daemon,
        Publisher(settings.kafka) as publisher,
    ):
        yield daemon, publisher, audit


async def committed(kafka: KafkaSettings) -> dict[str, int | None]:
    """Where the group's next member would begin, by topic of one partition."""
    partitions = [TopicPartition(topic, 0) for topic in kafka.frame_topics or []]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    consumer.assign(partitions)
    await consumer.start()
    try:
        return {partition.topic: await consumer.committed(partition) for partition in partitions}
    finally:
        await consumer.stop()


async def ask(
    url: str, method: str = "GET", *, token: str | None = None, body: object = None
) -> tuple[int, Any]:
    """Ask the daemon's port for a page; returns status and page, from JSON where it is that."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 - the daemon's own address
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    return await asyncio.to_thread(_answer, request)


def _answer(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 - as above
            return answer.status, _page(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _page(error)


def _page(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if answer.headers.get_content_type() == "application/json" else text


def versions(inspections: Sequence[Inspection]) -> list[str]:
    """Which model looked at each frame."""
    assert all(one.model is not None for one in inspections)
    return [one.model.version for one in inspections if one.model is not None]


@asynccontextmanager
async def daemon_process(settings: Settings, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``stripsight run`` in a process of its own; it is killed if it has not ended with the block."""
    sections = {
        f"STRIPSIGHT_{name.upper()}": section.model_dump_json(exclude_none=True)
        for name, section in settings
        if name in {"kafka", "model", "pipeline", "http"}
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "edge.cli", "run"),
        env=os.environ | sections | environment,
        stderr=asyncio.subprocess.PIPE,
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
