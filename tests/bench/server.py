"""A server of models in a process of its own, asked over HTTP: closed loop, or at a fixed rate."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from edge.settings import ModelSettings
from tests.bench.figures import percentiles
from tests.bench.frames import jpegs
from tests.bench.served import MODEL
from tests.support.kafka_broker import free_port
from tests.support.process import cpu_s, family, peak_bytes

CONNECTIONS = 16  # of the closed loop: two batches, so that one is ready when the model is
_START_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 15.0
_MIB = 2**20
_MS_PER_S = 1000
_OK = 200
_BINARY = {"content-type": "application/octet-stream"}


@dataclass(frozen=True)
class Server:
    """How a server is started, and where it answers; ``{port}`` stands for its port."""

    name: str
    module: str
    arguments: Sequence[str]
    path: str


async def ask(
    server: Server, model: ModelSettings, frames: int, *, warm: int, rate: float
) -> dict[str, float]:
    """Return the figures of a server: speed and CPU in the closed loop, percentiles at the rate."""
    async with _running(server, model) as (pid, url), aiohttp.ClientSession() as client:
        await _closed_loop(client, url, warm)
        cpu_began, began = _cpu_s(pid), time.perf_counter()
        await _closed_loop(client, url, frames)
        took_s, cpu_took_s = time.perf_counter() - began, _cpu_s(pid) - cpu_began
        took_ms = await _at_rate(client, url, frames // 2, rate)
        peak = sum(peak_bytes(each) for each in family(pid))
    return {
        "frames_per_s": frames / took_s,
        "cpu_ms_per_frame": cpu_took_s / frames * _MS_PER_S,
        "peak_mib": peak / _MIB,
        **percentiles(took_ms),
    }


@asynccontextmanager
async def _running(server: Server, model: ModelSettings) -> AsyncIterator[tuple[int, str]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", server.module),
        *(each.format(port=port) for each in server.arguments),
        env=os.environ | {MODEL: model.model_dump_json()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its workers end with it, whatever it does at its own end
    )
    try:
        url = f"http://127.0.0.1:{port}{server.path}"
        async with asyncio.timeout(_START_TIMEOUT_S):
            await _ready(url, process)
        yield process.pid, url
    finally:
        await _end(process)


async def _ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as client:
        while process.returncode is None:
            try:
                async with client.post(url, data=jpegs()[0], headers=_BINARY) as answer:
                    if answer.status == _OK:
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.2)
    raise SystemExit(f"{url}: the server ended by itself")


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except (ProcessLookupError, TimeoutError):
            continue


async def _closed_loop(client: aiohttp.ClientSession, url: str, frames: int) -> None:
    """So many connections, each with one frame at a time."""
    numbers = iter(range(frames))

    async def one() -> None:
        for number in numbers:
            await _post(client, url, number)

    await asyncio.gather(*[one() for _ in range(CONNECTIONS)])


async def _at_rate(client: aiohttp.ClientSession, url: str, frames: int, rate: float) -> list[float]:
    """Ask at fixed times, however many answers are outstanding; returns ms from when a frame was due."""
    loop = asyncio.get_running_loop()
    begins_at = loop.time()

    async def one(number: int) -> float:
        due_at = begins_at + number / rate
        await asyncio.sleep(due_at - loop.time())
        await _post(client, url, number)
        return (loop.time() - due_at) * _MS_PER_S

    return await asyncio.gather(*[one(number) for number in range(frames)])


async def _post(client: aiohttp.ClientSession, url: str, number: int) -> None:
    values = jpegs()
    async with client.post(url, data=values[number % len(values)], headers=_BINARY) as answer:
        body = await answer.read()
        if answer.status != _OK:
            raise SystemExit(f"{url}: {answer.status} {body[:200]!r}: the figures would be worthless")


def _cpu_s(pid: int) -> float:
    return sum(cpu_s(each) for each in family(pid))
