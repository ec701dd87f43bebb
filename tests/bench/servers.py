"""The same model and frames behind other servers, and in the daemon: closed loop, and at half of its speed.

Frames come to the daemon through Kafka, which keeps them; to the servers over HTTP, and who asked must keep
them. Percentiles are taken at a fixed rate, half of what the model does alone.
"""

import asyncio
from importlib.util import find_spec

from edge.settings import ModelSettings
from tests.bench.daemon import a_kafka, run_daemon, why_no_kafka
from tests.bench.figures import Figures, Result, percentiles, table_of
from tests.bench.in_process import run_in_process
from tests.bench.pipeline import CONTENDERS, Contender
from tests.bench.server import Server, ask

__all__ = ["measure", "table_of", "why_not"]

SERVERS = (
    Server("LitServe", "tests.bench.with_litserve", ("{port}",), "/predict"),
    Server(
        "mosec",
        "tests.bench.with_mosec",
        ("--port={port}", "--address=127.0.0.1", "--timeout=300000", "--log-level=error"),
        "/inference",
    ),
)
_PACKAGES = ("litserve", "mosec")


def why_not() -> str | None:
    """Return why the servers cannot be measured here; None if they can."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    return f"{' and '.join(missing)} of the extra [bench] are not installed" if missing else why_no_kafka()


def measure(repetitions: int) -> Result:
    """Let daemon and servers run in turn, with each model."""
    figures = Figures("One model behind several servers, 1600 × 256")
    with a_kafka() as kafka:
        for _ in range(repetitions):
            for contender in CONTENDERS:
                _turn(figures, contender, kafka)
    return figures.result()


def _turn(figures: Figures, contender: Contender, kafka: str) -> None:
    name, model, frames, warm = contender
    rate = run_in_process(model, frames)["frames_per_s"] / 2
    ours = _ask_daemon(kafka, model, frames, warm, rate)
    figures.add(f"{name}: daemon", **ours)
    for server in SERVERS:
        theirs = asyncio.run(ask(server, model, frames, warm=warm, rate=rate))
        figures.add(f"{name}: {server.name}", **theirs)
        for what, ratio in (
            ("frames/s", ours["frames_per_s"] / theirs["frames_per_s"]),
            ("CPU saved", theirs["cpu_ms_per_frame"] / ours["cpu_ms_per_frame"]),
        ):
            figures.add_ratio(f"{name}: daemon / {server.name}, {what}", ratio)


def _ask_daemon(kafka: str, model: ModelSettings, frames: int, warm: int, rate: float) -> dict[str, float]:
    full = run_daemon(kafka, model, frames, warm=warm)
    half = run_daemon(kafka, model, frames // 2, warm=warm, rate=rate)
    return {
        "frames_per_s": full.frames_per_s,
        "cpu_ms_per_frame": full.cpu_ms_per_frame,
        "peak_mib": max(full.peak_mib, half.peak_mib),
        **percentiles(half.ages_ms),
    }
