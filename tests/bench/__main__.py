"""``make bench``: what the line costs around the model, as a ratio within one run.

Two contestants inspect the same frames in turn, several times: the model called in process batch after batch,
and the daemon with the same model, from a camera's publishing to the inspection in a consumer's hands. The
figure that matters is their ratio; frames/s depend on the machine. Where Detectron2 is installed, training
with it and without it is timed in the same way.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from edge.daemon import Daemon, load_model
from edge.demo.options import DemoOptions
from edge.demo.session import DemoSession
from edge.pipeline.decode import decode_image
from edge.settings import ModelSettings, PipelineSettings
from edge.training.synthetic import SyntheticStrip
from edge.vision.runtime import Runtime
from producers.synthetic import encode_grey_jpeg
from tests.bench import model as model_alone
from tests.bench import training

CAMERAS = 2
DISTINCT_FRAMES = 16
MAX_PIXELS = 10**7
NO_PACE = 1e6  # frames/s; the daemon alone sets the pace
PACKAGES = ("stripsight", "torch", "torchvision", "aiokafka", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and how many frames make a repetition of a few seconds."""

    name: str
    model: ModelSettings
    frames: int


SUBJECTS = (
    Subject("bundled model", ModelSettings(), 24),
    Subject("fake, 20 ms a batch", ModelSettings(runtime="fake", fake_delay_ms=20), 240),
    Subject("fake, no delay", ModelSettings(runtime="fake"), 400),
)


def in_process(runtime: Runtime, values: Sequence[bytes], frames: int) -> float:
    """Decode and infer batch after batch; returns frames/s."""
    size = PipelineSettings().max_batch
    started_at = time.perf_counter()
    for first in range(0, frames, size):
        numbers = range(first, min(first + size, frames))
        runtime.infer(
            [decode_image(values[number % len(values)], max_pixels=MAX_PIXELS) for number in numbers]
        )
    return frames / (time.perf_counter() - started_at)


def through_kafka(model: ModelSettings, folder: Path, frames: int) -> float:
    """Publish, inspect and read the results back; returns frames/s, first frame to last result."""
    session = DemoSession(
        DemoOptions(
            source=str(folder),
            cameras=CAMERAS,
            rate=NO_PACE,
            frames=frames,
            out=None,
            port=0,
            seed=0,
            model=model,
        )
    )
    started_at = 0.0

    def start(_: Daemon) -> None:
        nonlocal started_at
        started_at = time.perf_counter()

    asyncio.run(session.run(asyncio.Event(), on_ready=start))
    if not session.account.is_closed:
        raise SystemExit("the account does not close: the figure would be worthless")
    return frames / (session.account.settled_last_at - started_at)


def measure(subject: Subject, folder: Path, repetitions: int) -> dict[str, object]:
    """Let the contestants run in turn; the ratio is taken within each turn."""
    runtime = load_model(subject.model)
    runtime.warmup()
    values = [path.read_bytes() for path in sorted(folder.iterdir())]
    contestants: dict[str, Callable[[], float]] = {
        "in process": lambda: in_process(runtime, values, subject.frames),
        "through Kafka": lambda: through_kafka(subject.model, folder, subject.frames),
    }
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            figures[name].append(run())
    ratios = [kafka / alone for alone, kafka in zip(*figures.values(), strict=True)]
    return {"subject": subject.name, "frames_per_s": figures, "ratio": ratios}


def table_of(results: Sequence[dict[str, object]]) -> Table:
    """Medians, and the spread of the ratio."""
    table = Table(title="frames/s of 1600 × 256, median", title_justify="left")
    table.add_column("subject")
    for head in ("in process", "through Kafka", "ratio", "spread"):
        table.add_column(head, justify="right")
    for result in results:
        figures, ratios = result["frames_per_s"], result["ratio"]
        medians = [f"{statistics.median(values):.1f}" for values in figures.values()]  # type: ignore[attr-defined] # JSON
        spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"  # type: ignore[call-overload] # JSON
        table.add_row(str(result["subject"]), *medians, f"{statistics.median(ratios):.2f}", spread)  # type: ignore[arg-type] # JSON
    return table


def main() -> None:
    """Measure all subjects, print the table, write the figures."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as name:
        folder, strip = Path(name), SyntheticStrip(seed=7)
        for number in range(DISTINCT_FRAMES):
            (folder / f"{number:02d}.jpg").write_bytes(encode_grey_jpeg(strip.frame(number).image))
        results = [measure(subject, folder, arguments.repetitions) for subject in SUBJECTS]
    alone = model_alone.measure(arguments.repetitions)
    trained = training.measure(arguments.repetitions) if find_spec("detectron2") else None
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    versions = {package: version(package) for package in PACKAGES} | {"python": platform.python_version()}
    arguments.json.write_text(
        json.dumps(
            {
                "machine": machine,
                "versions": versions,
                "results": results,
                "model": alone,
                "training": trained,
            },
            indent=2,
        )
    )
    Console().print(table_of(results))
    Console().print(model_alone.table_of(alone))
    if trained is not None:
        Console().print(training.table_of(trained))


main()
