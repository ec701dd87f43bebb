"""What a screen is worth: frames/s against defects missed, as its threshold rises.

The bundled model looks at drawn strip that neither it nor the screen has learned from, and so does the
screen, turn and turn about in one process. A frame below the threshold costs the screen's time, others cost
the model's as well; defects on it are missed, by the screen's doing where the model would have found them.

``python -m tests.bench.screening --screen DIR`` measures one screen on its own.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge.training.data import open_dataset
from edge.training.evaluation.labelled import drawn
from edge.training.samples import Sample
from edge.training.screen.run import ScreenOptions, train_screen
from edge.training.synthetic.write import StripSettings, write_strip
from edge.vision.detections import Detections
from edge.vision.runtime import BUNDLED_MODEL, load_runtime
from edge.vision.screen.screen import Screen

FRAMES, LEARNED_FRAMES, SEED = 200, 300, 41
BATCH = 8
# A mill's strip is cleaner than Severstal's selection, of which half shows defects.
DEFECTIVE_PARTS = (0.53, 0.05)
_MATCH_IOU = 0.1  # of boxes: found at all, for masks of annotators are coarse

Times = list[float]


@dataclass(frozen=True, slots=True)
class Looked:
    """One frame: its score, how many defects there are on it, and how many of them the model finds."""

    score: float
    defects: int
    found: int


def measure(repetitions: int, screen: Path | None = None, data: Path | None = None) -> dict[str, Any]:
    """Seconds a frame of screen and model, and the curve over thresholds.

    Args:
        repetitions: turns of both.
        screen: folder of a screen; None trains one for a minute, on drawn strip.
        data: labelled frames; None draws some.
    """
    with tempfile.TemporaryDirectory() as place:
        looker = Screen.read(screen or _trained(Path(place)))
    frames, model = _frames(data), load_runtime("native", BUNDLED_MODEL)
    images = [frame.image for frame in frames]
    looker.scores(images[:BATCH])
    model.infer(images[:1])
    seconds: dict[str, Times] = {"screen": [], "model": []}
    for _ in range(repetitions):
        took, scores = _timed(looker.scores, images)
        seconds["screen"].append(took)
        took, found = _timed(model.infer, images)
        seconds["model"].append(took)
    looked = [_looked(*both) for both in zip(scores, frames, found, strict=True)]
    return {
        "subject": f"screen {looker.reference.version}, {len(frames)} frames",
        "seconds_per_frame": seconds,
        "threshold": looker.threshold,
        "curve": _curve(looked, looker.threshold, seconds),
    }


def table_of(result: dict[str, Any]) -> Table:
    """The curve: a line for each threshold."""
    table = Table(title=f"{result['subject']}: frames/s against missed defects", title_justify="left")
    heads = ("threshold", "clean passed", "frames with defects missed", "defects lost that the model finds")
    rates = (f"frames/s, {part:.0%} with defects" for part in DEFECTIVE_PARTS)
    for head in (*heads, *rates):
        table.add_column(head, justify="right")
    for point in result["curve"]:
        marked = " *" if point["threshold"] == result["threshold"] else ""
        table.add_row(
            f"{point['threshold']:.3g}{marked}",
            f"{point['clean_passed']:.1%}",
            f"{point['frames_missed']:.1%}",
            f"{point['found_lost']:.1%}",
            *(f"{rate:.1f}" for rate in point["frames_per_s"]),
        )
    return table


def _curve(looked: Sequence[Looked], threshold: float, seconds: dict[str, Times]) -> list[dict[str, Any]]:
    """Points at which ever more of the frames with defects are missed, and the screen's own threshold."""
    shown = sorted(one.score for one in looked if one.defects)
    missed = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35)
    levels = {0.0, threshold, *(shown[int(part * len(shown))] for part in missed)}
    return [_point(looked, level, seconds) for level in sorted(levels)]


def _point(looked: Sequence[Looked], threshold: float, seconds: dict[str, Times]) -> dict[str, Any]:
    clean = [one.score >= threshold for one in looked if not one.defects]
    with_defects = [one.score >= threshold for one in looked if one.defects]
    found = sum(one.found for one in looked)
    lost = sum(one.found for one in looked if one.score < threshold)
    screen_s, model_s = (statistics.median(seconds[name]) for name in ("screen", "model"))
    passed = float(np.mean(clean)), float(np.mean(with_defects))
    return {
        "threshold": threshold,
        "clean_passed": passed[0],
        "frames_missed": 1 - passed[1],
        "found_lost": lost / max(found, 1),
        # Without a threshold there would be no screen.
        "frames_per_s": [
            1 / (screen_s * (threshold > 0) + model_s * ((1 - part) * passed[0] + part * passed[1]))
            for part in DEFECTIVE_PARTS
        ],
    }


def _timed(look: Callable[[Sequence[Any]], list[Any]], images: Sequence[Any]) -> tuple[float, list[Any]]:
    """Seconds a frame, and the answers."""
    answers: list[Any] = []
    started_at = time.perf_counter()
    for first in range(0, len(images), BATCH):
        answers += look(images[first : first + BATCH])
    return (time.perf_counter() - started_at) / len(images), answers


def _looked(score: float, frame: Sample, found: Detections) -> Looked:
    truth = np.array([(*one.box_px, one.class_id) for one in frame.instances], np.float32).reshape(-1, 5)
    hits = sum(
        any(label == class_id and _iou(box, part) > _MATCH_IOU for *part, label in truth.tolist())
        for box, class_id in zip(found.boxes.tolist(), found.classes.tolist(), strict=True)
    )
    return Looked(score, len(truth), min(hits, len(truth)))


def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


def _frames(data: Path | None) -> list[Sample]:
    if data is not None:
        return [frame.read() for frame in open_dataset(data).frames]
    return [frame for frame in drawn(FRAMES, seed=SEED, balanced=False).frames if isinstance(frame, Sample)]


def _trained(folder: Path) -> Path:
    """A screen of one minute's learning: the bench works with it, and its figures are no praise."""
    write_strip(folder / "strip", StripSettings(LEARNED_FRAMES, seed=SEED + 1))
    options = ScreenOptions((folder / "strip",), folder / "screen", miss_rate=0.1, minutes=1.0, device="cpu")
    train_screen(options)
    return options.out


def main() -> None:
    """Measure one screen."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.screening", description=__doc__)
    parser.add_argument("--screen", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="labelled frames; default: drawn strip")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    Console().print(table_of(measure(arguments.repetitions, arguments.screen, arguments.data)))


if __name__ == "__main__":
    main()
