"""The daemon end to end through Kafka against the same model called in process.

Two figures matter. When the model is the limit, the daemon's frames/s over the model's: decoding overlaps
with inference, so it can be more than 1. And the age of frames at half load: what is allowed (the batch
window and twice the model's time for a full batch) over the 99th percentile.
"""

import statistics
from typing import NamedTuple

from edge.settings import ModelSettings, PipelineSettings
from tests.bench.daemon import a_kafka, run_daemon, why_no_kafka
from tests.bench.figures import Figures, Result, percentiles, table_of
from tests.bench.in_process import run_in_process

__all__ = ["measure", "table_of", "why_not"]

why_not = why_no_kafka


class Contender(NamedTuple):
    """A model, how many frames make a turn of a few seconds, and how many come before."""

    name: str
    model: ModelSettings
    frames: int
    warm: int


CONTENDERS = (
    Contender("bundled model", ModelSettings(), 48, 16),
    Contender("fake, 20 ms a batch", ModelSettings(runtime="fake", fake_delay_ms=20), 960, 160),
)


def measure(repetitions: int) -> Result:
    """Let all of them run in turn."""
    figures = Figures("The daemon through Kafka and its model in process, 1600 × 256")
    with a_kafka() as kafka:
        for _ in range(repetitions):
            for contender in CONTENDERS:
                _turn(figures, contender, kafka)
    return figures.result()


def _turn(figures: Figures, contender: Contender, kafka: str) -> None:
    name, model, frames, warm = contender
    alone = run_in_process(model, frames)
    batch_ms = statistics.median(alone.pop("batch_ms"))
    figures.add(f"{name}: in process", **alone)
    full = run_daemon(kafka, model, frames, warm=warm)
    figures.add(
        f"{name}: daemon",
        frames_per_s=full.frames_per_s,
        cpu_ms_per_frame=full.cpu_ms_per_frame,
        peak_mib=full.peak_mib,
    )
    rate = full.frames_per_s / 2
    half = run_daemon(kafka, model, frames // 2, warm=warm, rate=rate)
    figures.add(
        f"{name}: daemon, half load",
        frames_per_s=half.frames_per_s,
        cpu_ms_per_frame=half.cpu_ms_per_frame,
        peak_mib=half.peak_mib,
        **(ages := percentiles(half.ages_ms)),
    )
    allowed_ms = PipelineSettings().max_wait_ms + 2 * batch_ms
    figures.add_ratio(f"{name}: daemon / in process", full.frames_per_s / alone["frames_per_s"])
    figures.add_ratio(f"{name}: age allowed / p99", allowed_ms / ages["p99_ms"])
