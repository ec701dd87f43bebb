"""The same model behind TorchServe, behind ``stripsight serve``, and in the daemon: frames/s, and the wait.

All get the same limits of batches, and are asked turn and turn about: first as fast as they are done, then at
a fixed rate, half of what the slowest of them has just done. The one that is not asked rests. Frames come to
the daemon through Kafka; to the others over HTTP, from clients that send the next when they have an answer.
TorchServe needs Java.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import aiohttp

from edge.serving.torchserve.archive import Batching, build
from edge.settings import ModelSettings, Settings
from tests.bench.daemon import MS_PER_S, a_kafka, run_daemon, why_no_kafka
from tests.bench.figures import Figures, Result, percentiles, table_of
from tests.bench.frames import jpegs
from tests.support.serve_process import served
from tests.support.torchserve import TorchServe

__all__ = ["measure", "table_of", "why_not"]

FRAMES = 64
WARM = 16
CLIENTS = 16
MAX_BATCH, MAX_WAIT_MS = 8, 20  # what the daemon has by default
HALF = 0.5
TORCHSERVE, SERVE, DAEMON = "TorchServe", "stripsight serve", "daemon"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Where images are posted, and what is shown there."""

    url: str
    headers: dict[str, str]


def why_not() -> str | None:
    """Return why these servers cannot be measured here; None if they can."""
    if find_spec("ts") is None:
        return "torchserve of the extra [torchserve] is not installed"
    return why_no_kafka() if shutil.which("java") else "java, which TorchServe runs on, is not installed"


def measure(repetitions: int) -> Result:
    """Let all of them answer in turn, fast and at the same rate."""
    figures = Figures(f"The bundled model behind servers, 1600 × 256, {MAX_BATCH} frames a batch at most")
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        kafka = stack.enter_context(a_kafka())
        contestants = _started(Path(place), stack)
        for contestant in contestants.values():
            asyncio.run(_closed_loop(contestant, jpegs(), WARM))  # what is set up lazily
        for _ in range(repetitions):
            _turn(figures, contestants, kafka)
    return figures.result()


def _turn(figures: Figures, contestants: dict[str, Contestant], kafka: str) -> None:
    model = ModelSettings()
    rates = {
        name: FRAMES / asyncio.run(_closed_loop(contestant, jpegs(), FRAMES))
        for name, contestant in contestants.items()
    }
    rates[DAEMON] = run_daemon(kafka, model, FRAMES, warm=WARM).frames_per_s
    rate = HALF * min(rates.values())
    waits_ms = {
        name: asyncio.run(_at_rate(contestant, jpegs(), rate)) for name, contestant in contestants.items()
    }
    waits_ms[DAEMON] = run_daemon(kafka, model, FRAMES // 2, warm=WARM, rate=rate).ages_ms
    waits = {name: percentiles(values) for name, values in waits_ms.items()}
    for name, speed in rates.items():
        figures.add(name, frames_per_s=speed, **waits[name])
    for ours in (SERVE, DAEMON):
        figures.add_ratio(f"{ours} / TorchServe, frames/s", rates[ours] / rates[TORCHSERVE])
        figures.add_ratio(
            f"TorchServe / {ours}, p99 at the same rate", waits[TORCHSERVE]["p99_ms"] / waits[ours]["p99_ms"]
        )


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


async def _closed_loop(to: Contestant, images: Sequence[bytes], frames: int) -> float:
    """Let each client send its next frame when it has its answer; returns the seconds that it took."""
    numbers = iter(range(frames))
    async with aiohttp.ClientSession(headers=to.headers) as session:

        async def client() -> None:
            for number in numbers:
                await _post(session, to.url, images[number % len(images)])

        began = time.perf_counter()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(client())
        return time.perf_counter() - began


async def _at_rate(to: Contestant, images: Sequence[bytes], rate: float) -> list[float]:
    """Send frames when they are due, whether or not the ones before are answered; returns ms of each."""
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(headers=to.headers) as session, asyncio.TaskGroup() as sent:
        began = loop.time()
        tasks = []
        for number in range(FRAMES // 2):
            await asyncio.sleep(max(began + number / rate - loop.time(), 0))
            tasks.append(sent.create_task(_post(session, to.url, images[number % len(images)])))
        return [MS_PER_S * await task for task in tasks]


async def _post(session: aiohttp.ClientSession, url: str, image: bytes) -> float:
    began = time.perf_counter()
    async with session.post(url, data=image, headers={"Content-Type": "image/jpeg"}) as answer:
        await answer.read()
        if answer.status != 200:  # a figure about errors would be worthless
            raise RuntimeError(f"{url}: {answer.status}")
    return time.perf_counter() - began
