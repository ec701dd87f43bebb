"""A camera at work in the terminal: a line that tells how it goes, and the sum at the end."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack

from rich.console import Console
from rich.live import Live
from rich.text import Text

from edge.bus.publisher import Publisher
from edge.bus.topics import ensure_topics
from edge.cli.signals import stop_on_signals
from edge.settings import KafkaSettings, Settings
from edge.stopping import unless_stopped
from producers.camera import Camera, CameraStatistics
from producers.pacing import Interval, Pacer
from producers.source import ImageSource
from producers.strip import MovingStrip, StripPlan

RATE_WINDOW_S = 3.0
REFRESH_PER_S = 4
# A frame that is later than this is worth a word: the source, the network or the broker cannot keep the pace.
_LATE_S = 0.1


def publish(
    settings: Settings,
    topic: str,
    source: ImageSource,
    plan: StripPlan,
    interval: Interval | None,
    frames: int | None,
) -> None:
    """Publish until the source, the number of frames or a signal ends it.

    Raises:
        StripsightError: the source gave out, or Kafka did not take the frames.
    """
    from edge.telemetry.logging import configure_logging

    configure_logging("warning", settings.log.format)
    asyncio.run(_publish(settings.kafka, topic, source, plan, interval, frames))


async def _publish(
    kafka: KafkaSettings,
    topic: str,
    source: ImageSource,
    plan: StripPlan,
    interval: Interval | None,
    frames: int | None,
) -> None:
    with stop_on_signals() as stop:
        async with AsyncExitStack() as stack:
            publisher = await unless_stopped(stop, _connect(stack, kafka, topic))
            if publisher is None:
                return
            camera = Camera(
                source, MovingStrip(plan), Pacer(interval), publisher, topic=topic, frame_limit=frames
            )
            await _run(camera, f"{plan.camera} → {topic}", stop)


async def _connect(stack: AsyncExitStack, kafka: KafkaSettings, topic: str) -> Publisher:
    publisher = await stack.enter_async_context(Publisher(kafka))
    await ensure_topics(kafka, [topic])
    return publisher


async def _run(camera: Camera, name: str, stop: asyncio.Event) -> None:
    started_at = time.monotonic()
    console = Console(stderr=True)
    try:
        with Live(
            StatusLine(name, camera.statistics),
            console=console,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
            auto_refresh=console.is_terminal,
        ):
            await camera.run(stop)
    finally:
        console.print(summary(name, camera.statistics(), time.monotonic() - started_at), soft_wrap=True)


class StatusLine:
    """Shows at each refresh the counts, and the pace of the last seconds."""

    def __init__(
        self,
        name: str,
        statistics: Callable[[], CameraStatistics],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._statistics = statistics
        self._clock = clock
        self._samples = deque([(clock(), CameraStatistics())])

    def __rich__(self) -> Text:
        now, latest = self._clock(), self._statistics()
        self._samples.append((now, latest))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW_S:  # noqa: PLR2004 - two ends
            self._samples.popleft()
        since, earliest = self._samples[0]
        seconds = max(now - since, 1e-9)
        text = _figures(
            self._name,
            [
                (f"{latest.acknowledged:,}", "frames"),
                (f"{(latest.acknowledged - earliest.acknowledged) / seconds:.1f}", "frames/s"),
                (f"{latest.strip_mm / 1000:,.1f}", "m of strip"),
                (f"{(latest.published_bytes - earliest.published_bytes) / seconds / 1e6:.2f}", "MB/s"),
            ],
        )
        if latest.lateness_s > _LATE_S:
            text.append(f"   {latest.lateness_s:.1f} s late", style="yellow")
        return text


def summary(name: str, statistics: CameraStatistics, seconds: float) -> Text:
    """Return the sum of a run; frames that were not acknowledged stand out."""
    seconds = max(seconds, 1e-9)
    text = _figures(
        name,
        [
            (f"{statistics.acknowledged:,}", "frames"),
            (f"{seconds:.1f}", "s"),
            (f"{statistics.acknowledged / seconds:.1f}", "frames/s"),
            (f"{statistics.strip_mm / 1000:,.1f}", "m of strip"),
            (f"{statistics.published_bytes / seconds / 1e6:.2f}", "MB/s"),
        ],
    )
    missing = statistics.published - statistics.acknowledged
    if missing:
        text.append(f"   {missing:,} not acknowledged", style="bold red")
    return text


def _figures(name: str, figures: list[tuple[str, str]]) -> Text:
    text = Text(name, style="bold")
    for value, unit in figures:
        text.append(f"   {value}", style="not bold cyan").append(f" {unit}", style="not bold dim")
    return text
