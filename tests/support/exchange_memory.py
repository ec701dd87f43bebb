"""Exchanges real models beside batches in progress, and prints the memory of the process after each.

``python -m tests.support.exchange_memory 50``: a JSON object a line, in a process that does nothing else.
"""

import asyncio
import json
import logging
import resource
import sys
from pathlib import Path

import numpy as np
import structlog

from edge.daemon import load_model
from edge.pipeline.exchange import ModelExchange
from edge.pipeline.inference import InferenceStage
from edge.settings import ModelSettings
from edge.telemetry.metrics import Metrics
from edge.vision.runtime import BUNDLED_MODEL
from tests.support.works import decoded_work

OTHER_MODEL = Path(__file__).resolve().parents[2] / "models" / "neu-det"
FRAMES_A_BATCH, FRAME_PX = 2, (128, 800)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def threads() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


async def infer_until(stop: asyncio.Event, stage: InferenceStage) -> None:
    """Batch after batch, as on a line at work."""
    random = np.random.default_rng(0)
    while not stop.is_set():
        images = [random.integers(0, 256, FRAME_PX, np.uint8) for _ in range(FRAMES_A_BATCH)]
        works = [decoded_work(offset, image) for offset, image in enumerate(images)]
        await stage.infer(works)
        assert all(work.detections is not None for work in works)


async def main(exchanges: int) -> None:
    """Exchange the bundled model for the other one and back, so many times in all."""
    model = ModelExchange(ModelSettings(device="cpu", threads=1), load_model, Metrics())
    stage = await model.start(stall_exit_s=0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as line:
        line.create_task(infer_until(stop, stage))
        for number in range(1, exchanges + 1):
            exchanged = await model.exchange(OTHER_MODEL if number % 2 else BUNDLED_MODEL)
            figures = {
                "exchange": number,
                "version": exchanged.version,
                "seconds": exchanged.seconds,
                "resident_bytes": resident_bytes(),
                "threads": threads(),
            }
            print(json.dumps(figures), flush=True)  # noqa: T201 - what it is for
        stop.set()
    stage.close()
    model.close()


if __name__ == "__main__":
    # Standard output is for the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(int(sys.argv[1])))
