"""What makes the daemon exchange its model by itself: a signal, and files that have changed."""

import asyncio
import contextlib

from edge.errors import ExchangeError
from edge.pipeline.exchange import ModelExchange
from edge.pipeline.worker import Worker
from edge.vision.fingerprint import fingerprint

# Half a second more or less of the old model matters to nobody; a look costs some 50 microseconds.
_LOOK_EVERY_S = 1.0


async def exchange_when_asked(model: ModelExchange, asked: asyncio.Event) -> None:
    """Exchange at each ``asked``, which is cleared; asked during an exchange, another one follows it."""
    while True:
        await asked.wait()
        asked.clear()
        with contextlib.suppress(ExchangeError):  # the log has told it
            await model.exchange()


async def exchange_when_changed(model: ModelExchange, look_every_s: float = _LOOK_EVERY_S) -> None:
    """Exchange when the files of the model's folder are others than those that were tried last.

    They must look the same twice: what is still being copied would be refused. A model that was refused is
    tried again once its files change again. The looks are taken in a thread: the disk may be a network's.
    """
    worker = Worker("watch")
    before = model.tried
    try:
        while True:
            await asyncio.sleep(look_every_s)
            now = await worker.run(lambda: fingerprint(model.folder))
            if now == before != model.tried:
                with contextlib.suppress(ExchangeError):
                    await model.exchange()
            before = now
    finally:
        worker.close()
