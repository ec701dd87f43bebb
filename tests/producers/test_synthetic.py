"""The synthetic strip as a source."""

import asyncio
import threading
from contextlib import aclosing

import cv2
import numpy as np

from edge.training.synthetic import SyntheticFrame, SyntheticStrip
from producers.source import CameraImage
from producers.synthetic import SyntheticSource

SMALL = {"width_px": 400, "height_px": 64}


async def take(source: SyntheticSource, count: int) -> list[CameraImage]:
    """Return the first images."""
    images: list[CameraImage] = []
    async with aclosing(aiter(source)) as endless:
        async for image in endless:
            images.append(image)
            if len(images) == count:
                break
    return images


async def test_frames_are_grey_jpegs_of_the_strips_size() -> None:
    """One channel, the given size, and nearly the pixels that were drawn."""
    strip = SyntheticStrip(3, **SMALL)

    (image,) = await take(SyntheticSource(strip), 1)

    decoded = cv2.imdecode(np.frombuffer(image.value, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (image.content_type, image.width_px, image.height_px) == ("image/jpeg", 400, 64)
    assert decoded is not None
    assert decoded.shape == (64, 400)
    assert np.abs(decoded.astype(int) - strip.frame(0).image).mean() < 5


async def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two cameras of one seed publish the same strip; another seed gives another."""
    first, second, other = [
        await take(SyntheticSource(SyntheticStrip(seed, **SMALL)), 3) for seed in (5, 5, 6)
    ]

    assert first == second
    assert first != other


async def test_every_iteration_starts_from_the_first_frame() -> None:
    """A source can be given to one camera after the other."""
    source = SyntheticSource(SyntheticStrip(1, **SMALL))

    assert await take(source, 2) == await take(source, 2)


def test_the_truth_is_the_strips_own() -> None:
    """Callers who judge a model ask for the defects by the frame's sequence number."""
    strip = SyntheticStrip(3, defect_rate=1.0, **SMALL)

    truth = [SyntheticSource(strip).ground_truth(index) for index in range(5)]

    assert truth == [strip.frame(index).defects for index in range(5)]
    assert any(truth)


async def test_the_event_loop_is_free_while_a_frame_is_drawn() -> None:
    """Drawing happens in another thread; the loop turns meanwhile."""

    class Slow(SyntheticStrip):
        drawing, go_on = threading.Event(), threading.Event()

        def frame(self, index: int) -> SyntheticFrame:
            self.drawing.set()
            assert self.go_on.wait(5)
            return super().frame(index)

    image = asyncio.create_task(take(SyntheticSource(Slow(1, **SMALL)), 1))
    assert await asyncio.to_thread(Slow.drawing.wait, 5)
    assert not image.done()
    Slow.go_on.set()

    assert len(await image) == 1
