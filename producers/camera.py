"""A camera: images from a source, moved along a strip, paced, and published with their metadata."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from edge.bus.publisher import Record
from edge.contracts.cloudevents import encode_headers
from producers.pacing import Pacer
from producers.source import CameraImage, ImageSource
from producers.strip import MovingStrip

# What 1 Gbit/s carries in 8 ms: enough to keep the link busy over a broker's round trip, and little enough
# that an embedded broker, which keeps 5 MB, is not flooded by what was captured and not yet counted.
MAX_IN_FLIGHT_BYTES = 2**20


class FramePublisher(Protocol):
    """What a camera asks of Kafka."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish the records, in their order, and return when the broker has acknowledged them."""


@dataclass(frozen=True, slots=True)
class CameraStatistics:
    """What a camera has done so far.

    ``published`` frames were captured and handed over, ``acknowledged`` ones are safe with the broker.
    ``lateness_s`` is how far the last frame was behind the schedule.
    """

    published: int = 0
    acknowledged: int = 0
    published_bytes: int = 0
    strip_mm: float = 0.0
    lateness_s: float = 0.0


class Camera:
    """Publishes the frames of a source to a topic, all under the camera's id, so that they keep their order.

    The next frames are captured while the broker has yet to acknowledge the last ones, up to
    ``max_in_flight_bytes``; then the camera waits. Without a ``frame_limit`` it goes on to its source's end.
    """

    def __init__(
        self,
        source: ImageSource,
        strip: MovingStrip,
        pacer: Pacer,
        publisher: FramePublisher,
        *,
        topic: str,
        frame_limit: int | None = None,
        max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES,
    ) -> None:
        self._source = source
        self._strip = strip
        self._pacer = pacer
        self._publisher = publisher
        self._topic = topic
        self._frame_limit = frame_limit
        self._outgoing: asyncio.Queue[Record | None] = asyncio.Queue()
        self._window = _Window(max_in_flight_bytes)
        self._published = 0
        self._acknowledged = 0
        self._published_bytes = 0
        self._lateness_s = 0.0

    def statistics(self) -> CameraStatistics:
        """Return the counts at this moment."""
        return CameraStatistics(
            published=self._published,
            acknowledged=self._acknowledged,
            published_bytes=self._published_bytes,
            strip_mm=self._strip.travelled_mm,
            lateness_s=self._lateness_s,
        )

    async def run(self, stop: asyncio.Event) -> CameraStatistics:
        """Publish until the limit, the source's end or ``stop``; return when all of it is acknowledged.

        A camera runs once.

        Raises:
            BusError: the broker refused a frame.
            ImageSourceError: the source gave out; what was captured before is acknowledged.
        """
        capturing = asyncio.create_task(self._capture())
        sending = asyncio.create_task(self._send())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({capturing, sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            capturing.cancel()
            await asyncio.wait({capturing})
            self._outgoing.put_nowait(None)
            outcomes = await asyncio.gather(sending, capturing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return self.statistics()

    async def _capture(self) -> None:
        async with aclosing(aiter(self._source)) as images:
            while self._frame_limit is None or self._published < self._frame_limit:
                image = await anext(images, None)
                if image is None:
                    return
                self._lateness_s = await self._pacer.wait(self._strip.length_of(image))
                await self._window.admit(len(image.value))
                self._hand_over(image)

    def _hand_over(self, image: CameraImage) -> None:
        metadata = self._strip.advance(image, datetime.now(UTC))
        self._published += 1
        self._published_bytes += len(image.value)
        key, headers = metadata.camera.encode(), encode_headers(metadata)
        self._outgoing.put_nowait(Record(self._topic, value=image.value, key=key, headers=headers))

    async def _send(self) -> None:
        """Publish in one call what was captured while the call before was under way."""
        while True:
            taken = [await self._outgoing.get()]
            while not self._outgoing.empty():
                taken.append(self._outgoing.get_nowait())
            records = [record for record in taken if record is not None]
            if records:
                await self._publisher.publish(records)
                self._acknowledged += len(records)
                self._window.release(sum(len(record.value or b"") for record in records))
            if len(records) < len(taken):  # the end was among them
                return


class _Window:
    """Bounds the bytes in flight; a single frame passes whatever its size."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._released = asyncio.Event()

    async def admit(self, size_bytes: int) -> None:
        while self._bytes and self._bytes + size_bytes > self._max_bytes:
            self._released.clear()
            await self._released.wait()
        self._bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        self._bytes -= size_bytes
        self._released.set()
