"""Work that an orderly end cuts short."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return what the work returns, or None when it was cancelled because ``stop`` was set first."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.wait({working, stopped})


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Let work go on beside the block, and cancel it at the end; what it raised before is raised then."""
    working = asyncio.create_task(work)
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled():
        working.result()


async def together(works: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Let works go on side by side until all have ended; the first error ends the others, and is raised.

    Cancelled, too, it returns when all have tidied up: ``asyncio.gather`` would leave them behind at it.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
