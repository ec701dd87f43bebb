"""Cameras that feed a line whatever happens to it."""

import asyncio
import contextlib
from typing import Self

from edge.bus.publisher import Publisher
from edge.settings import KafkaSettings
from tests.support.line import frame, picture


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
        self._images = [picture(number) for number in range(20)]

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
