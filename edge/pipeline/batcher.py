"""Micro-batches: as many frames as came within the window, up to a limit."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Generic, TypeVar

from edge.pipeline.channel import Channel, EndOfChannelError

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """Collects items of a channel into batches.

    The window of a batch opens when its first item arrived: an idle line never spins, an item waits for
    company no longer than ``max_wait_s``, and one that has waited behind a busy model does not wait again.
    """

    def __init__(
        self,
        channel: Channel[Item],
        *,
        max_batch: int,
        max_wait_s: float,
        arrived_at: Callable[[Item], float],
    ) -> None:
        """``arrived_at`` tells an item's arrival in seconds of the running loop's clock."""
        self._channel = channel
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._arrived_at = arrived_at

    async def next_batch(self) -> list[Item]:
        """Return 1 to ``max_batch`` items in order.

        Raises:
            EndOfChannelError: the channel is closed and empty.
        """
        batch = [await self._channel.receive()]
        closes_at = self._arrived_at(batch[0]) + self._max_wait_s
        with contextlib.suppress(EndOfChannelError):
            self._take_what_is_there(batch)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(closes_at):
                    while len(batch) < self._max_batch:
                        batch.append(await self._channel.receive())
        return batch

    def _take_what_is_there(self, batch: list[Item]) -> None:
        """Waiting items join even when the window closed while the model was busy."""
        while len(batch) < self._max_batch and (item := self._channel.receive_nowait()) is not None:
            batch.append(item)
