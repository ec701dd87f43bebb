"""The batcher's story: full, partial, single, empty, late."""

import asyncio

import pytest

from edge.pipeline.batcher import Batcher
from edge.pipeline.channel import Channel, EndOfChannelError

LONG_S = 3600.0


def batcher_of(channel: Channel[str], *, max_wait_s: float, arrived_at: float | None = None) -> Batcher[str]:
    """A batcher of up to four, for items that arrive when they are asked about or at a given time."""
    loop = asyncio.get_running_loop()
    return Batcher(
        channel,
        max_batch=4,
        max_wait_s=max_wait_s,
        arrived_at=lambda _: loop.time() if arrived_at is None else arrived_at,
    )


async def channel_of(items: str) -> Channel[str]:
    """A channel in which each letter waits."""
    channel: Channel[str] = Channel(10)
    for item in items:
        await channel.send(item)
    return channel


async def test_a_full_batch_leaves_at_once() -> None:
    """With enough frames there is no waiting, however long the window, and the rest stays in order."""
    batcher = batcher_of(await channel_of("abcdef"), max_wait_s=LONG_S)
    assert await batcher.next_batch() == list("abcd")


async def test_a_partial_batch_leaves_when_its_window_closes() -> None:
    """Two frames do not wait for ever for two more."""
    batcher = batcher_of(await channel_of("ab"), max_wait_s=0.01)
    assert await batcher.next_batch() == ["a", "b"]


async def test_a_window_of_nothing_gives_single_frames_at_once() -> None:
    """With max_wait_ms = 0 a lone frame goes alone."""
    batcher = batcher_of(await channel_of("a"), max_wait_s=0)
    assert await batcher.next_batch() == ["a"]


async def test_an_idle_line_never_opens_a_window() -> None:
    """Without a frame there is no batch, not even an empty one."""
    channel: Channel[str] = Channel(1)
    batch = asyncio.create_task(batcher_of(channel, max_wait_s=0).next_batch())
    await asyncio.sleep(0)
    assert not batch.done()
    await channel.send("a")
    assert await batch == ["a"]


async def test_what_waited_behind_a_busy_model_does_not_wait_again() -> None:
    """A window that closed while the model was busy takes everybody who is there, and leaves."""
    long_ago = asyncio.get_running_loop().time() - LONG_S
    batcher = batcher_of(await channel_of("abc"), max_wait_s=1, arrived_at=long_ago)
    assert await batcher.next_batch() == list("abc")


async def test_the_end_closes_the_window() -> None:
    """At a stop the last frames leave as a partial batch, then the batcher ends."""
    channel = await channel_of("ab")
    await channel.close()
    batcher = batcher_of(channel, max_wait_s=LONG_S)
    assert await batcher.next_batch() == ["a", "b"]
    with pytest.raises(EndOfChannelError):
        await batcher.next_batch()
