"""A small study whose names mean no good: four frames, two classes, a run and an evaluation."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contracts.mask import Mask
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.evaluation.judge import Origin, evaluate_detections
from edge.training.evaluation.stored import write
from edge.training.report.content import Report
from edge.training.report.gather import gather
from edge.training.report.page import render
from edge.training.samples import Instance
from edge.vision.detections import Detections

HOSTILE = '"><img src=x onerror=alert(1)>'
CLASSES = (f"scratch {HOSTILE}", "pit $\\pi$ \u202egnp 钢")
HEIGHT_PX, WIDTH_PX = 64, 256


def box(class_id: int, x: int, y: int, width: int, height: int) -> Instance:
    """A defect that fills its box."""
    return Instance(class_id, Mask.encode(np.ones((height, width), np.bool_), x=x, y=y))


def found(*scored: tuple[float, Instance]) -> Detections:
    """Detections, best first."""
    instances = [instance for _, instance in scored]
    return Detections(
        boxes=np.array([i.box_px for i in instances], np.float32).reshape(-1, 4),
        scores=np.array([score for score, _ in scored], np.float32),
        classes=np.array([i.class_id for i in instances], np.int64),
        masks=tuple(i.mask for i in instances),
    )


# What is on each frame, and what the model finds there: one right, one half right, one missed, one false.
LABELS = {
    f"a{HOSTILE.replace('/', '')}.png": ((box(0, 10, 5, 30, 40),), found((0.9, box(0, 10, 5, 30, 40)))),
    "b & c.png": (
        (box(0, 40, 0, 60, 20), box(1, 200, 30, 20, 20)),
        found((0.8, box(0, 45, 2, 60, 20)), (0.2, box(1, 0, 0, 9, 9))),
    ),
    "missed.png": ((box(1, 100, 20, 50, 30),), found()),
    "clean.png": ((), found((0.7, box(1, 5, 5, 12, 12)))),
}


@dataclass(frozen=True)
class Study:
    """What a report is made from."""

    dataset: Dataset
    run: Path
    evaluation: Path
    hostile: str = HOSTILE
    """Stands in names of files and classes."""


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Frames, a run's log and an evaluation's folder."""
    root = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(7)
    frames = []
    for name, (instances, _) in LABELS.items():
        cv2.imwrite(str(root / name), rng.integers(60, 120, (HEIGHT_PX, WIDTH_PX), np.uint8))
        frames.append(LabelledFrame(root / name, HEIGHT_PX, WIDTH_PX, instances))
    dataset = Dataset("steel <b>", CLASSES, tuple(frames))
    run = root / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log_lines()))
    detections = [detections for _, detections in LABELS.values()]
    evaluation = evaluate_detections(
        frames,
        detections,
        CLASSES,
        thresholds=[0.5, 0.5],
        origin=Origin(model_name="m <i>", model_version="abc", data=dataset.name),
    )
    write(root / "evaluation", evaluation, frames, detections)
    return Study(dataset, run, root / "evaluation")


def log_lines() -> list[dict[str, object]]:
    """Ten logged iterations, two validations."""
    training = [
        {"iteration": 20 * n, "loss": 2 / n, "loss_mask": 1 / n, "lr": 0.01 * n, "seconds": 1.5}
        for n in range(1, 11)
    ]
    validations = [
        {"iteration": i, "validation": "real", "frames": 4, "dice": d, "dice_of_nothing": 0.6}
        for i, d in ((100, 0.5), (200, 0.7))
    ]
    return [*training, *validations]


@pytest.fixture(scope="session")
def full_report(study: Study) -> Report:
    """The report of everything."""
    return gather(study.dataset, study.run, study.evaluation)


@pytest.fixture(scope="session")
def full_page(full_report: Report) -> str:
    """The page of everything."""
    return render(full_report)


@pytest.fixture(scope="session")
def bare_page(study: Study) -> str:
    """The page of the data set alone."""
    return render(gather(study.dataset))
