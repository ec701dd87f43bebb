"""The same model behind TorchServe and behind ``stripsight serve``: frames/s, and how long clients wait.

Both run the whole time, with the same limits of batches, and are asked turn and turn about: first by clients
that send one frame after the other as fast as they are answered, then at a fixed rate, half of what the
slower one has just done. The one that is not asked rests. TorchServe needs Java.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from edge.serving.torchserve.archive import Batching, build
from edge.settings import Settings
from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg
from tests.support.serve_process import served
from tests.support.torchserve import TorchServe

FRAMES = 48
DISTINCT_FRAMES = 8
CLIENTS = 8
MAX_BATCH, MAX_WAIT_MS = 4, 20
HALF = 0.5
TORCHSERVE, SERVE = "TorchServe", "stripsight serve"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Where images are posted, and what is shown there."""

    url: str
    headers: dict[str, str]


def measure(repetitions: int) -> dict[str, Any]:
    """Frames/s and latencies of each contestant, turn by turn."""
    strip = SyntheticStrip(seed=7)
    images = [encode_grey_jpeg(strip.frame(number).image) for number in range(DISTINCT_FRAMES)]
    rates: dict[str, list[float]] = {TORCHSERVE: [], SERVE: []}
    busy: dict[str, list[float]] = {TORCHSERVE: [], SERVE: []}
    paced: dict[str, list[float]] = {TORCHSERVE: [], SERVE: []}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        contestants = _started(Path(place), stack)
        for contestant in contestants.values():
            asyncio.run(_closed_loop(contestant, images, CLIENTS))  # what is set up lazily
        for _ in range(repetitions):
            for name, contestant in contestants.items():
                seconds, waits = asyncio.run(_closed_loop(contestant, images, FRAMES))
                rates[name].append(FRAMES / seconds)
                busy[name].append(_p99_ms(waits))
            rate = HALF * min(values[-1] for values in rates.values())
            for name, contestant in contestants.items():
                paced[name].append(_p99_ms(asyncio.run(_at_rate(contestant, images, rate))))
    return {
        "subject": f"bundled model over HTTP, {CLIENTS} clients, {MAX_BATCH} frames a batch at most",
        "frames_per_s": rates,
        "p99_ms": busy,
        "p99_ms_at_half_load": paced,
        "ratio": [ours / theirs for theirs, ours in zip(*rates.values(), strict=True)],
    }


def table_of(result: dict[str, Any]) -> Table:
    """Medians, and the ratio of ours to TorchServe's with its spread."""
    table = Table(title=f"{result['subject']}, median", title_justify="left")
    table.add_column("")
    for name in (TORCHSERVE, SERVE, "ours / theirs", "spread"):
        table.add_column(name, justify="right")
    rows = (("frames/s", "frames_per_s", ".2f"), ("p99, ms", "p99_ms", ".0f"))
    for title, key, form in (*rows, ("p99 at half load, ms", "p99_ms_at_half_load", ".0f")):
        theirs, ours = result[key][TORCHSERVE], result[key][SERVE]
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        medians = (f"{statistics.median(values):{form}}" for values in (theirs, ours))
        spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"
        table.add_row(title, *medians, f"{statistics.median(ratios):.2f}", spread)
    return table


def _started(folder: Path, stack: ExitStack) -> dict[str, Contestant]:
    store = folder / "store"
    build(Settings(), store, name="stripsight", batching=Batching(MAX_BATCH, MAX_WAIT_MS, workers=1))
    torchserve = stack.enter_context(TorchServe(store))
    options = ("--max-batch", str(MAX_BATCH), "--max-wait-ms", str(MAX_WAIT_MS), "--log-level", "warning")
    url, _ = stack.enter_context(served(*options))
    bearer = {"Authorization": f"Bearer {torchserve.key('inference')}"}
    return {
        TORCHSERVE: Contestant(f"{torchserve.inference}/predictions/stripsight", bearer),
        SERVE: Contestant(f"{url}/v1/inspect", {}),
    }


async def _closed_loop(to: Contestant, images: Sequence[bytes], frames: int) -> tuple[float, list[float]]:
    """Let each client send its next frame when it has its answer; returns seconds in all and of each."""
    numbers = iter(range(frames))
    waits: list[float] = []
    async with aiohttp.ClientSession(headers=to.headers) as session:

        async def client() -> None:
            for number in numbers:
                took_s = await _post(session, to.url, images[number % len(images)])
                waits.append(took_s)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(client())
        return time.perf_counter() - started, waits


async def _at_rate(to: Contestant, images: Sequence[bytes], rate: float) -> list[float]:
    """Send frames when they are due, whether or not the ones before are answered."""
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(headers=to.headers) as session, asyncio.TaskGroup() as sent:
        began = loop.time()
        tasks = []
        for number in range(FRAMES):
            await asyncio.sleep(max(began + number / rate - loop.time(), 0))
            tasks.append(sent.create_task(_post(session, to.url, images[number % len(images)])))
        return [await task for task in tasks]


async def _post(session: aiohttp.ClientSession, url: str, image: bytes) -> float:
    started = time.perf_counter()
    async with session.post(url, data=image, headers={"Content-Type": "image/jpeg"}) as answer:
        await answer.read()
        if answer.status != 200:  # a figure about errors would be worthless
            raise RuntimeError(f"{url}: {answer.status}")
    return time.perf_counter() - started


def _p99_ms(seconds: Sequence[float]) -> float:
    """Nearest rank: with fewer than a hundred frames, the longest wait."""
    return sorted(seconds)[max(-(-len(seconds) * 99 // 100) - 1, 0)] * 1000
