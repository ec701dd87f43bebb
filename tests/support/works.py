"""Frames as they come to the model."""

import asyncio
from datetime import UTC, datetime

from edge.contracts import FrameOrigin, FrameReference, RawFrame
from edge.pipeline.decode import Image
from edge.pipeline.work import Work


def decoded_work(offset: int, image: Image) -> Work:
    """A frame of one camera, decoded."""
    origin = FrameOrigin("frames.cam1", 0, offset)
    reference = FrameReference(
        id=origin.id,
        topic=origin.topic,
        partition=0,
        offset=offset,
        line="line-1",
        camera="cam1",
        captured_at=datetime.now(UTC),
    )
    raw = RawFrame(origin, 0, None, (), b"")
    return Work(raw, reference, asyncio.get_running_loop().time(), image=image)
