"""A bound on memory where things are of very different size."""

import asyncio


class Budget:
    """So many bytes may be taken at a time by one taker, who waits when it wants more.

    What alone is larger than the whole budget gets through once nothing else is taken: late, but not stuck.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._given_back = asyncio.Event()

    async def take(self, size_bytes: int) -> None:
        """Take a part of the budget, when there is enough left of it."""
        while self._taken_bytes and self._taken_bytes + size_bytes > self._limit_bytes:
            self._given_back.clear()
            await self._given_back.wait()
        self._taken_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Return what was taken."""
        self._taken_bytes -= size_bytes
        self._given_back.set()
