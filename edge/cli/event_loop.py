"""The event loop of services: uvloop where it runs, which is on anything but Windows."""

import asyncio
import gc
import importlib.util
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

# Objects that come into being before Python looks for garbage in cycles. By its default of 700 it looks after
# every few frames, at a tenth of the event loop's time; what is in flight is not garbage yet.
_GC_THRESHOLD = 20_000


def run_service(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a fresh event loop; uvloop spends about half of asyncio's own time on a socket."""
    gc.set_threshold(_GC_THRESHOLD)
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
