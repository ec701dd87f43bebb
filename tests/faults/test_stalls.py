"""The model stalls for longer than a rebalance waits."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from edge.bus.source import FrameSource
from edge.pipeline.decode import Image
from edge.settings import Settings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from tests.faults.conftest import Close
from tests.support.cameras import Cameras
from tests.support.line import running


class Stalls(FakeRuntime):
    """Answers while it may."""

    def __init__(self) -> None:
        super().__init__(defects_per_frame=2)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Wait, then find."""
        self.may_go_on.wait()
        return super().infer(images)


async def test_model_stalls_over_a_rebalance(
    settings: Settings, close: Close, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that were given up lie in the same queue as their copies, read again: none holds up the line."""
    monkeypatch.setitem(FrameSource.__init__.__kwdefaults__, "release_timeout_s", 1.0)
    model = Stalls()
    roomy = settings.pipeline.model_copy(
        update={"queue_frames": 2000, "max_batch": 500}
    )  # both copies share one
    settings = settings.model_copy(update={"pipeline": roomy})
    async with running(settings, lambda _: model) as daemon, Cameras(settings.kafka) as cameras:
        await cameras.publish_more(60)
        source = daemon._source
        assert source is not None
        model.may_go_on.clear()
        while source.in_flight < 20:
            await cameras.publish_more(3)
        plain = settings.kafka.model_copy(update={"delivery": "at_least_once"})
        async with FrameSource(plain, release_timeout_s=0.1):
            pass  # joins, and leaves
        while len(source.assigned) < 3 or source.in_flight < 20:
            await cameras.publish_more(3)
        model.may_go_on.set()
        await cameras.publish_more(60)
        await cameras.finish()
        await asyncio.wait_for(close(), 60)
