"""A camera from its source to the broker."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from edge.bus.publisher import Record
from edge.contracts.cloudevents import decode_headers
from edge.errors import ImageSourceError, PublishError
from producers.camera import Camera
from producers.pacing import Pacer, by_rate
from producers.source import CameraImage
from producers.strip import MovingStrip, StripPlan

PLAN = StripPlan(line="line-1", camera="cam1", pitch_y_mm=0.5, coil_frames=3)


class Images:
    """A source of numbered images; the one after the last is an error, if there is one."""

    def __init__(self, count: int, error: Exception | None = None, size_bytes: int = 1) -> None:
        self.count = count
        self.error = error
        self.size_bytes = size_bytes
        self.tenth_taken = asyncio.Event()
        self.closed = False

    async def __aiter__(self) -> AsyncGenerator[CameraImage, None]:
        try:
            for index in range(self.count):
                if index == 10:
                    self.tenth_taken.set()
                yield CameraImage(str(index).encode().rjust(self.size_bytes), "image/jpeg", 1600, 200)
            if self.error:
                raise self.error
        finally:
            self.closed = True


class Broker:
    """Keeps what it is sent, and acknowledges while it is open."""

    def __init__(self, *, is_open: bool = True, refuse: bytes | None = None) -> None:
        self.calls: list[list[Record]] = []
        self.is_open = asyncio.Event()
        self.called = asyncio.Event()
        self.refuse = refuse
        if is_open:
            self.is_open.set()

    @property
    def values(self) -> list[bytes]:
        return [(record.value or b"").strip() for records in self.calls for record in records]

    async def publish(self, records: Sequence[Record]) -> None:
        self.calls.append(list(records))
        self.called.set()
        await self.is_open.wait()
        if self.refuse is not None and self.refuse in [record.value for record in records]:
            raise PublishError("frames.cam1: too large")


def camera(images: Images, broker: Broker, *, pacer: Pacer | None = None, **options: int) -> Camera:
    """Return a camera that publishes as fast as it can, unless there is a pacer."""
    return Camera(images, MovingStrip(PLAN), pacer or Pacer(), broker, topic="frames.cam1", **options)


async def test_every_frame_is_published_once_and_in_order() -> None:
    """To the end of the source, each under the camera's id with its place on the strip."""
    broker = Broker()

    statistics = await camera(Images(5), broker).run(asyncio.Event())

    assert broker.values == [b"0", b"1", b"2", b"3", b"4"]
    assert {(record.topic, record.key) for call in broker.calls for record in call} == {
        ("frames.cam1", b"cam1")
    }
    assert (statistics.published, statistics.acknowledged, statistics.strip_mm) == (5, 5, 500.0)


async def test_headers_tell_the_place_on_the_strip() -> None:
    """The fourth frame begins the second coil at position 0."""
    broker = Broker()

    await camera(Images(5), broker).run(asyncio.Event())

    headers = [decode_headers(record.headers) for call in broker.calls for record in call]
    assert [(each.coil, each.position_mm, each.sequence) for each in headers[2:5]] == [
        ("C0001", 200.0, 2),
        ("C0002", 0.0, 3),
        ("C0002", 100.0, 4),
    ]


async def test_a_frame_limit_ends_it() -> None:
    """No image is taken from the source beyond the limit, and the source is closed."""
    images, broker = Images(100), Broker()

    statistics = await camera(images, broker, frame_limit=3).run(asyncio.Event())

    assert (statistics.published, broker.values) == (3, [b"0", b"1", b"2"])
    assert images.closed


async def test_a_stop_drains() -> None:
    """After the stop no further frame is captured, and what was captured is acknowledged."""
    images, broker, stop = Images(10**6, size_bytes=100), Broker(is_open=False), asyncio.Event()
    running = asyncio.create_task(camera(images, broker, max_in_flight_bytes=1000).run(stop))

    await broker.called.wait()
    stop.set()
    broker.is_open.set()
    statistics = await running

    assert statistics.published == statistics.acknowledged == len(broker.values)
    assert images.closed


async def test_a_stop_does_not_wait_for_the_pace() -> None:
    """A camera of one frame in ten minutes ends at once."""
    broker, stop = Broker(), asyncio.Event()
    running = asyncio.create_task(camera(Images(9), broker, pacer=Pacer(by_rate(1 / 600))).run(stop))

    await broker.called.wait()
    stop.set()

    assert (await running).acknowledged == 1


async def test_frames_go_on_while_the_broker_has_yet_to_acknowledge() -> None:
    """What is captured meanwhile goes out together, at most so many bytes of it."""
    images, broker = Images(30, size_bytes=100), Broker(is_open=False)
    subject = camera(images, broker, max_in_flight_bytes=1000)
    running = asyncio.create_task(subject.run(asyncio.Event()))

    await images.tenth_taken.wait()
    assert (subject.statistics().published, subject.statistics().acknowledged) == (10, 0)
    broker.is_open.set()
    statistics = await running

    assert statistics.acknowledged == 30
    assert len(broker.calls) < 30
    assert max(sum(len(record.value or b"") for record in call) for call in broker.calls) <= 1000


async def test_a_frame_larger_than_the_bound_goes_alone() -> None:
    """A bound below the size of a frame slows the camera down, but does not stop it."""
    broker = Broker()

    await camera(Images(3, size_bytes=100), broker, max_in_flight_bytes=10).run(asyncio.Event())

    assert [len(call) for call in broker.calls] == [1, 1, 1]


async def test_a_refused_frame_ends_the_camera_at_once() -> None:
    """The broker's refusal is not kept until the next frame is due."""
    broker = Broker(refuse=b"0")

    with pytest.raises(PublishError, match="too large"):
        await camera(Images(9), broker, pacer=Pacer(by_rate(1 / 600))).run(asyncio.Event())


async def test_a_source_that_gives_out_loses_no_frame() -> None:
    """Its error comes through, after what it gave before was acknowledged."""
    broker = Broker()

    with pytest.raises(ImageSourceError, match="gone"):
        await camera(Images(2, ImageSourceError("b.jpg: gone")), broker).run(asyncio.Event())

    assert broker.values == [b"0", b"1"]


async def test_an_empty_source_ends_without_a_call() -> None:
    """Nothing to publish is nothing published."""
    broker = Broker()

    assert (await camera(Images(0), broker).run(asyncio.Event())).published == 0
    assert broker.calls == []
