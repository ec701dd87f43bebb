"""Frames out of a source, as many as a test expects."""

import asyncio

from edge.bus.source import FrameSource
from edge.contracts.frame import RawFrame

DEADLINE_S = 20


async def take(source: FrameSource, count: int) -> list[RawFrame]:
    """Poll until so many frames are taken."""
    frames: list[RawFrame] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(frames) < count:
            frames += await source.poll(count - len(frames))
    return frames
