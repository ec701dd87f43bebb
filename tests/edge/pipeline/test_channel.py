"""The bounded queue between two stages."""

import asyncio

import pytest

from edge.pipeline.channel import Channel, EndOfChannelError


async def test_a_full_channel_makes_its_sender_wait() -> None:
    """Memory is bounded: the third item is not taken before there is room."""
    channel: Channel[int] = Channel(2)
    await channel.send(1)
    await channel.send(2)
    third = asyncio.create_task(channel.send(3))
    await asyncio.sleep(0)
    assert not third.done()
    assert (len(channel), channel.room) == (2, 0)

    assert await channel.receive() == 1
    await third
    assert [await channel.receive(), await channel.receive()] == [2, 3]


async def test_a_closed_channel_ends_after_what_was_sent() -> None:
    """Closing loses nothing, and every later request learns of the end."""
    channel: Channel[str] = Channel(2)
    await channel.send("last")
    await channel.close()
    assert await channel.receive() == "last"
    with pytest.raises(EndOfChannelError):
        await channel.receive()
    with pytest.raises(EndOfChannelError):
        channel.receive_nowait()


async def test_nothing_there_is_none_without_waiting() -> None:
    """A look into an empty channel does not block."""
    assert Channel[int](1).receive_nowait() is None


async def test_a_cancelled_receiver_loses_no_item() -> None:
    """An item that comes while its receiver is being cancelled stays for the next one."""
    channel: Channel[int] = Channel(1)
    receiver = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)
    await channel.send(7)
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    assert await channel.receive() == 7


async def test_riders_take_no_room() -> None:
    """Skipped frames keep their place in the order, and leave the room to others up to a bound."""
    channel: Channel[int] = Channel(2, most_riders=3, is_rider=lambda number: number < 0)
    for number in (-1, 1, -2, -3):
        await channel.send(number)
    assert (len(channel), channel.room, channel.room_for_riders) == (1, 1, 0)
    assert [await channel.receive(), channel.receive_nowait()] == [-1, 1]
    assert (len(channel), channel.room, channel.room_for_riders) == (0, 2, 1)


async def test_who_waits_for_room_goes_on_when_an_item_is_taken() -> None:
    """Where there is room already, nobody waits."""
    channel: Channel[int] = Channel(1)
    await channel.wait_for_room()
    await channel.send(1)
    waiting = asyncio.create_task(channel.wait_for_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await channel.receive() == 1
    await waiting
