"""Memory stays flat: the daemon as a process, with real images, measured by the kernel."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from edge.settings import ModelSettings, Settings
from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg
from tests.support.daemon_process import DaemonProcess
from tests.support.frame_topics import FrameTopics, Results
from tests.support.process import resident_bytes

LONG = os.environ.get("STRIPSIGHT_TEST_LONG") == "1"
# Frames from which on memory is at rest, frames in all, and by how much it may have grown between them. The
# allocator takes its time to come to rest, so the short form allows for more: 1 kB that each frame leaves
# behind would be 4 % there, and 90 % in the long form.
SETTLED, END, MOST_GROWTH = (10_000, 100_000, 1.01) if LONG else (1_500, 6_000, 1.05)
ROUNDS = 50 if LONG else 20  # the frames come in so many parts, at whose ends nothing is in flight
READINGS = 5  # of which the least counts: what is more is room that the allocator keeps
NAMES_A_ROUND = 100  # cameras that come and go; the daemon tells the first hundred apart
IMAGES = 8


@pytest.fixture
def frame_topics(apache_kafka: str) -> Iterator[FrameTopics]:
    """Two cameras, whose frames are quarters of 1600 x 256 pixels."""
    strip = SyntheticStrip(seed=7)
    images = [strip.frame(number).image[:128, :800] for number in range(IMAGES)]
    topics = FrameTopics(apache_kafka, [encode_grey_jpeg(image) for image in images])
    yield topics
    topics.close()


class Soak:
    """A daemon under load, and what it takes by and by."""

    def __init__(self, topics: FrameTopics, daemon: DaemonProcess, results: Results) -> None:
        self._topics = topics
        self._daemon = daemon
        self._results = results
        self.resident: list[int] = []

    async def inspect(self, frames: int, *, names: int = 0) -> None:
        """Have frames inspected; then nothing is in flight, and memory is read.

        Args:
            frames: how many.
            names: how many cameras their headers name, none of which was there before.
        """
        for name in range(max(names, 1)):
            camera = f"cam-{len(self.resident)}-{name}" if names else None
            await asyncio.to_thread(self._topics.publish, frames // max(names, 1), camera=camera)
        published = self._topics.published
        while await asyncio.to_thread(self._results.count) < published:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
        self.resident.append(resident_bytes(self._daemon.pid))

    def growth(self) -> float:
        """Return what the daemon takes at the end, over what it took once it was at rest."""
        first = SETTLED * ROUNDS // END - 1
        return min(self.resident[-READINGS:]) / min(self.resident[first : first + READINGS])

    def __str__(self) -> str:
        mib = ", ".join(f"{resident / 2**20:.1f}" for resident in self.resident)
        return f"grown by {self.growth() - 1:.2%}; MiB after each {END // ROUNDS} frames: {mib}"


@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("names", [0, NAMES_A_ROUND], ids=["the same cameras", "cameras come and go"])
async def test_memory_does_not_grow_with_frames(frame_topics: FrameTopics, names: int) -> None:
    """Neither with frames nor with names of cameras, which anybody may invent."""
    settings = Settings(kafka=frame_topics.new_group(), model=ModelSettings(runtime="fake"))
    with Results(settings.kafka) as results:
        async with DaemonProcess(settings) as daemon:
            soak = Soak(frame_topics, daemon, results)
            for _ in range(ROUNDS):
                await soak.inspect(END // ROUNDS, names=names)
            print(soak)  # noqa: T201 - make soak shows it
            assert soak.growth() < MOST_GROWTH, soak


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not LONG, reason="waits for each topic to be discovered: make soak")
async def test_memory_does_not_grow_with_topics_that_come_and_go(frame_topics: FrameTopics) -> None:
    """Each round a camera's topic is deleted, and another one takes its place."""
    settings = Settings(kafka=frame_topics.new_group(), model=ModelSettings(runtime="fake"))
    with Results(settings.kafka) as results:
        async with DaemonProcess(settings) as daemon:
            soak = Soak(frame_topics, daemon, results)
            for _ in range(ROUNDS):
                await soak.inspect(END // ROUNDS)
                await asyncio.to_thread(frame_topics.add_camera)
                await asyncio.to_thread(frame_topics.remove_camera)
            print(soak)  # noqa: T201 - make soak shows it
            assert soak.growth() < MOST_GROWTH, soak
