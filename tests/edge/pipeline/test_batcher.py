"""The batcher's story: full, partial, single, empty, late."""

import asyncio

import pytest

from edge.pipeline.batcher import Batcher, BatchLimits
from edge.pipeline.channel import Channel, EndOfChannelError

LONG_S = 3600.0


def batcher_of(channel: Channel[str], *, max_wait_s: float, arrived_at: float | None = None) -> Batcher[str]:
    """A batcher of up to four, for items that arrive when they are asked about or at a given time.

    Small letters take a place, capitals ride along.
    """
    loop = asyncio.get_running_loop()
    return Batcher(
        channel,
        limits=lambda _: BatchLimits(4, max_wait_s),
        arrived_at=lambda _: loop.time() if arrived_at is None else arrived_at,
        takes_place=str.islower,
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


async def test_what_rides_along_takes_no_place() -> None:
    """A batch is full with four frames for the model, however many skipped ones lie between them."""
    batcher = batcher_of(await riders_of("AaBbCcDdEe"), max_wait_s=LONG_S)
    assert await batcher.next_batch() == list("AaBbCcDd")


async def test_riders_alone_wait_for_nobody() -> None:
    """Skipped frames without one for the model leave at once, however long the window."""
    batcher = batcher_of(await riders_of("ABC"), max_wait_s=LONG_S)
    assert await batcher.next_batch() == list("ABC")


async def test_the_window_opens_with_the_first_that_takes_a_place() -> None:
    """A rider that came long ago does not close the window of a frame that comes now."""
    channel = await riders_of("Aa")
    batch = asyncio.create_task(batcher_of(channel, max_wait_s=LONG_S).next_batch())
    await asyncio.sleep(0)
    for item in "Bbcd":
        await channel.send(item)
    assert await batch == list("AaBbcd")


async def test_a_batch_of_riders_is_bounded() -> None:
    """However many come, a batch has no more of them than its channel holds."""
    channel = await riders_of("A" * 10)
    batch = asyncio.create_task(batcher_of(channel, max_wait_s=LONG_S).next_batch())
    await asyncio.sleep(0)
    await channel.send("a")
    assert await batch == ["A"] * 10
    waiting = asyncio.create_task(batcher_of(channel, max_wait_s=LONG_S).next_batch())
    for _ in range(20):
        await channel.send("A")
    assert len(await waiting) == 4 + 10


async def test_limits_follow_how_many_wait() -> None:
    """The limits of each batch are asked for when its first item is there, with how many wait."""
    asked: list[int] = []

    def limits(waiting: int) -> BatchLimits:
        asked.append(waiting)
        return BatchLimits(waiting - 1, 0)

    batcher = Batcher(await channel_of("abc"), limits=limits, arrived_at=lambda _: 0.0)
    assert await batcher.next_batch() == ["a", "b"]
    assert asked == [3]


async def riders_of(items: str) -> Channel[str]:
    """A channel in which each letter waits, up to ten capitals as riders."""
    channel: Channel[str] = Channel(10, most_riders=10, is_rider=str.isupper)
    for item in items:
        await channel.send(item)
    return channel
