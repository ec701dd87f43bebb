"""A bounded queue between two stages that can be closed, and that reports on itself."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")


class EndOfChannelError(Exception):
    """The channel was closed, and everything sent before that has been received."""


class _End:
    """Travels behind the last item."""


_END = _End()


class Channel(Generic[Item]):
    """Items come out in the order they went in; a full channel makes its sender wait.

    Riders are items that take none of the room: they cost next to nothing, and travel here to keep the order.
    """

    def __init__(
        self,
        capacity: int,
        *,
        most_riders: int = 0,
        is_rider: Callable[[Item], bool] = lambda _: False,
    ) -> None:
        """``capacity`` is for items that are no riders; ``most_riders`` bounds the others."""
        self.capacity = capacity
        self.most_riders = most_riders
        self._riders = 0
        self._is_rider = is_rider
        self._queue: asyncio.Queue[Item | _End] = asyncio.Queue(capacity + most_riders)
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return self._queue.qsize() - self._riders

    @property
    def room(self) -> int:
        """How many items can be sent without waiting, riders apart."""
        return max(self.capacity - len(self), 0)

    @property
    def room_for_riders(self) -> int:
        """How many riders can be sent without waiting."""
        return self.most_riders - self._riders

    async def wait_for_room(self) -> None:
        """Wait until an item that is no rider could be sent without waiting."""
        while not self.room:
            self._taken.clear()
            await self._taken.wait()

    async def send(self, item: Item) -> None:
        """Hand an item to the next stage; waits while the channel is full."""
        await self._queue.put(item)
        self._riders += self._is_rider(item)

    async def close(self) -> None:
        """Let the receiver end after what was sent before."""
        await self._queue.put(_END)

    async def receive(self) -> Item:
        """Take the next item; cancelling the wait loses none.

        Raises:
            EndOfChannelError: nothing more will come.
        """
        return self._item_or_end(await self._queue.get())

    def receive_nowait(self) -> Item | None:
        """Take the next item if one is there.

        Raises:
            EndOfChannelError: nothing more will come.
        """
        return None if self._queue.empty() else self._item_or_end(self._queue.get_nowait())

    def _item_or_end(self, item: Item | _End) -> Item:
        if item is _END:
            self._queue.put_nowait(_END)  # the next one to ask learns it, too
            raise EndOfChannelError
        taken = cast("Item", item)
        self._riders -= self._is_rider(taken)
        self._taken.set()
        return taken
