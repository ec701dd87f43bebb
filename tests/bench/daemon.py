"""``stripsight run`` in a process of its own, on Apache Kafka, measured from outside."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from edge.settings import ModelSettings, Settings
from tests.bench.frames import jpegs
from tests.support.daemon_process import DaemonProcess
from tests.support.frame_topics import FrameTopics, Results
from tests.support.kafka_broker import KafkaBroker, why_no_docker
from tests.support.process import cpu_s

_POLL_S = 0.02
_TIMEOUT_S = 1200.0
_MIB = 2**20
MS_PER_S = 1000


def why_no_kafka() -> str | None:
    """Return why there is no Kafka to measure with; None if there is."""
    return None if os.environ.get("STRIPSIGHT_TEST_KAFKA") else why_no_docker()


@contextmanager
def a_kafka() -> Iterator[str]:
    """Yield the address of an Apache Kafka: STRIPSIGHT_TEST_KAFKA, else one in a container."""
    if address := os.environ.get("STRIPSIGHT_TEST_KAFKA"):
        yield address
    else:
        with KafkaBroker() as broker:
            yield broker.bootstrap_servers


@dataclass(frozen=True)
class Run:
    """What a daemon did between its first results and its last; ages are from capture to result."""

    frames_per_s: float
    cpu_ms_per_frame: float
    peak_mib: float
    ages_ms: list[float]


class _Mark(NamedTuple):
    """Where a run stands: results, seconds, seconds of CPU."""

    results: int
    at_s: float
    cpu_s: float


def run_daemon(kafka: str, model: ModelSettings, frames: int, *, warm: int, rate: float | None = None) -> Run:
    """Let a daemon inspect frames of two cameras.

    Args:
        kafka: address of the broker.
        model: which model looks.
        frames: how many are measured.
        warm: frames before those.
        rate: frames/s over both cameras, published once the daemon is ready; None for as fast as it can, of
            frames that are there before.
    """
    with closing(FrameTopics(kafka, jpegs())) as topics:
        return asyncio.run(_run(topics, model, frames, warm, rate))


async def _run(topics: FrameTopics, model: ModelSettings, frames: int, warm: int, rate: float | None) -> Run:
    settings = Settings(kafka=topics.new_group(), model=model)
    if rate is None:
        await asyncio.to_thread(topics.publish, warm + frames)
    with Results(settings.kafka) as results:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            DaemonProcess(settings) as daemon,
            asyncio.TaskGroup() as line,
        ):
            if rate is not None:
                line.create_task(asyncio.to_thread(topics.publish, warm + frames, rate=rate))
            first = await _reached(results, warm, daemon.pid)
            last = await _reached(results, warm + frames, daemon.pid)
            peak = daemon.peak_bytes()
        ages_ms, outcomes = await asyncio.to_thread(results.read)
    if outcomes != {"inspected"}:
        raise SystemExit(f"frames were {outcomes}: the figures would be worthless")
    done = last.results - first.results
    return Run(
        frames_per_s=done / (last.at_s - first.at_s),
        cpu_ms_per_frame=(last.cpu_s - first.cpu_s) / done * MS_PER_S,
        peak_mib=peak / _MIB,
        ages_ms=ages_ms[warm:],
    )


async def _reached(results: Results, number: int, pid: int) -> _Mark:
    while (count := await asyncio.to_thread(results.count)) < number:  # noqa: ASYNC110 - no event
        await asyncio.sleep(_POLL_S)
    return _Mark(count, time.perf_counter(), cpu_s(pid))
