"""A bounded queue between two stages that can be closed, and that reports on itself."""

import asyncio
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")


class EndOfChannelError(Exception):
    """The channel was closed, and everything sent before that has been received."""


class _End:
    """Travels behind the last item."""


_END = _End()


class Channel(Generic[Item]):
    """Items come out in the order they went in; a full channel makes its sender wait."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._queue: asyncio.Queue[Item | _End] = asyncio.Queue(capacity)

    def __len__(self) -> int:
        return self._queue.qsize()

    @property
    def room(self) -> int:
        """How many items can be sent without waiting."""
        return self.capacity - self._queue.qsize()

    async def send(self, item: Item) -> None:
        """Hand an item to the next stage; waits while the channel is full."""
        await self._queue.put(item)

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
        return cast("Item", item)
