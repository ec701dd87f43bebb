"""Micro-batches: as many frames as came within the window, up to a limit."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from edge.pipeline.channel import Channel, EndOfChannelError

Item = TypeVar("Item")


class BatchLimits(NamedTuple):
    """How many frames the model gets together, and how long the first of them waits for the others."""

    max_frames: int
    max_wait_s: float


class Batcher(Generic[Item]):
    """Collects items of a channel into batches.

    The window of a batch opens when its first item arrived: an idle line never spins, an item waits for
    company no longer than ``max_wait_s``, and one that has waited behind a busy model does not wait again.

    Items that take no place, as skipped frames do, ride along: a batch is full when it has ``max_frames`` of
    the others, and opens its window for the first of those alone.
    """

    def __init__(
        self,
        channel: Channel[Item],
        *,
        limits: Callable[[int], BatchLimits],
        arrived_at: Callable[[Item], float],
        takes_place: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        """Say how to batch.

        Args:
            channel: where items come from.
            limits: those of the next batch, given how many items wait.
            arrived_at: tells an item's arrival in seconds of the running loop's clock.
            takes_place: tells, at the moment when an item joins, whether the model will be busy with it.
        """
        self._channel = channel
        self._limits = limits
        self._arrived_at = arrived_at
        self._takes_place = takes_place

    async def next_batch(self) -> list[Item]:
        """Return items in order: 1 to ``max_frames`` that take a place, or none but others.

        Raises:
            EndOfChannelError: the channel is closed and empty.
        """
        first = await self._channel.receive()
        limits = self._limits(1 + len(self._channel))
        batch = _OpenBatch(self._takes_place, limits.max_frames, self._channel.most_riders)
        batch.add(first)
        with contextlib.suppress(EndOfChannelError):
            self._take_what_is_there(batch)
            if batch.first is not None:
                await self._wait_for_more(batch, self._arrived_at(batch.first) + limits.max_wait_s)
        return batch.items

    def _take_what_is_there(self, batch: "_OpenBatch[Item]") -> None:
        """Waiting items join even when the window closed while the model was busy."""
        while batch.has_room and (item := self._channel.receive_nowait()) is not None:
            batch.add(item)

    async def _wait_for_more(self, batch: "_OpenBatch[Item]", closes_at: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(closes_at):
                while batch.has_room:
                    batch.add(await self._channel.receive())


class _OpenBatch(Generic[Item]):
    """A batch that is being filled; ``first`` is the first item that takes a place."""

    def __init__(self, takes_place: Callable[[Item], bool], max_frames: int, most_riders: int) -> None:
        self.items: list[Item] = []
        self.first: Item | None = None
        self._takes_place = takes_place
        self._places = max_frames
        self._most_items = max_frames + most_riders

    @property
    def has_room(self) -> bool:
        return self._places > 0 and len(self.items) < self._most_items

    def add(self, item: Item) -> None:
        self.items.append(item)
        if self._takes_place(item):
            self._places -= 1
            self.first = item if self.first is None else self.first
