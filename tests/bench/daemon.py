"""``stripsight run`` in a process of its own, measured from outside."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from edge.settings import HttpSettings, ModelSettings, PipelineSettings, Settings
from tests.bench.kafka import BenchTopics, Results
from tests.bench.process import cpu_s, peak_bytes
from tests.support.daemon_process import DaemonProcess

_POLL_S = 0.02
_TIMEOUT_S = 300.0
MS_PER_S = 1000


class _Mark(NamedTuple):
    """Where a run stands: results, seconds, seconds of CPU."""

    results: int
    at_s: float
    cpu_s: float


@dataclass(frozen=True)
class Run:
    """What a daemon did between its first results and its last."""

    frames_per_s: float
    cpu_ms_per_frame: float
    peak_mib: float
    ages_ms: list[float]


async def run_daemon(
    topics: BenchTopics,
    frames: int,
    *,
    model: ModelSettings,
    pipeline: PipelineSettings | None = None,
    warm: int = 0,
    feed: Callable[[], None] | None = None,
    beside: Callable[[int], None] | None = None,
) -> Run:
    """Let a daemon inspect what lies on the topics, and what ``feed`` publishes once it is ready.

    Args:
        topics: where the frames are.
        frames: how many results there will be.
        model: which model looks.
        pipeline: the daemon's settings of that name.
        warm: results before these count as start.
        feed: called in a thread when the daemon is ready.
        beside: called in a thread with the daemon's process id when it is warm.
    """
    kafka = topics.new_group()
    settings = Settings(
        kafka=kafka, model=model, pipeline=pipeline or PipelineSettings(), http=HttpSettings(port=0)
    )
    with Results(kafka) as results:
        async with asyncio.timeout(_TIMEOUT_S), DaemonProcess(settings) as daemon:
            feeding = asyncio.create_task(asyncio.to_thread(feed)) if feed else None
            first = await _reached(results, warm, daemon.pid)
            watching = asyncio.create_task(asyncio.to_thread(beside, daemon.pid)) if beside else None
            last = await _reached(results, frames, daemon.pid)
            for task in (feeding, watching):
                if task is not None:
                    await task
            peak = peak_bytes(daemon.pid)
        if results.outcomes() != {"inspected"}:
            raise SystemExit("not all frames were inspected: the figures would be worthless")
        done = last.results - first.results
        return Run(
            frames_per_s=done / (last.at_s - first.at_s),
            cpu_ms_per_frame=(last.cpu_s - first.cpu_s) / done * MS_PER_S,
            peak_mib=peak / 2**20,
            ages_ms=results.ages_ms(),
        )


async def _reached(results: Results, number: int, pid: int) -> _Mark:
    while (count := await asyncio.to_thread(results.count)) < max(number, 1):  # noqa: ASYNC110 - no event
        await asyncio.sleep(_POLL_S)
    return _Mark(count, time.perf_counter(), cpu_s(pid))
