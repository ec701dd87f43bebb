"""Ctrl-C and SIGTERM ask for an orderly end; a second one ends at once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first signal sets; after that the signals act as they do by default."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def release() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def on_signal() -> None:
        stop.set()
        release()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        release()
