"""The model alone: ours in each precision, Detectron2 and torchvision, on the same frames of 1600 x 256 px.

Contestants take turns in one process, so that whatever else the machine does meets all of them; ratios are
taken within each turn. CPU time is that of all threads: less of it than cores would give tells of idle cores.
"""

import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from rich.table import Table
from torch import nn

from edge.training.synthetic import SyntheticStrip
from edge.vision.native.config import parse_config
from edge.vision.native.rcnn import build_model
from edge.vision.runtime import BUNDLED_MODEL, Image, load_runtime
from tests.bench.memory import peak_mb

FRAMES = 8
CLASSES = 4
DETECTIONS = 10  # of an untrained model, which would otherwise mask a hundred on every frame
PROPOSALS = 1000
MEAN, DEVIATION = [85.0] * 3, [112.0] * 3
LEVELS = ["res2", "res3", "res4", "res5"]

Contestant = Callable[[Sequence[Image]], object]


@dataclass(frozen=True, slots=True)
class Subject:
    """A size of model: ``depth`` of its ResNet, None for the bundled one; calls a turn by frames a call."""

    name: str
    depth: int | None
    calls: dict[int, int]


SUBJECTS = (
    Subject("bundled model", None, {1: 8, 2: 2, 4: 2, 8: 1}),
    Subject("R18-FPN, 1,000 proposals", 18, {1: 3, 4: 1}),
    Subject("R50-FPN, 1,000 proposals", 50, {1: 2, 4: 1}),
)


def measure(repetitions: int, subjects: Sequence[Subject] = SUBJECTS) -> list[dict[str, Any]]:
    """Figures of every subject, number of frames a call, and contestant, turn by turn."""
    strip = SyntheticStrip(seed=7)
    frames = [strip.frame(number).image for number in range(FRAMES)]
    results: list[dict[str, Any]] = []
    for subject in subjects:
        with tempfile.TemporaryDirectory() as place:
            folder = BUNDLED_MODEL if subject.depth is None else _write(Path(place), subject.depth)
            contestants = dict(_contestants(folder, subject.depth))
            for batch, calls in subject.calls.items():
                figures = _turns(contestants, frames, batch, calls, repetitions)
                results.append({"subject": subject.name, "batch": batch, "contestants": figures})
    return results


def table_of(results: Sequence[dict[str, Any]]) -> Table:
    """Medians; ratios are those of frames/s and of CPU time saved to Detectron2, else to torchvision."""
    table = Table(title="the model alone, frames of 1600 × 256", title_justify="left")
    for name in ("subject", "contestant"):
        table.add_column(name)
    heads = (
        "batch",
        "frames/s",
        "p50 ms",
        "p90",
        "p99",
        "CPU ms/frame",
        "peak MB",
        "ratio",
        "spread",
        "by CPU",
    )
    for name in heads:
        table.add_column(name, justify="right")
    for result in results:
        reference = _reference(result["contestants"])
        for name, figures in result["contestants"].items():
            ratios, by_cpu = _ratios(figures, result["contestants"].get(reference))
            table.add_row(
                result["subject"],
                name,
                str(result["batch"]),
                f"{statistics.median(figures['frames_per_s']):.2f}",
                *(f"{np.percentile(figures['call_ms'], part):.0f}" for part in (50, 90, 99)),
                f"{statistics.median(figures['cpu_ms_per_frame']):.0f}",
                f"{max(figures['peak_mb']):.0f}",
                f"{statistics.median(ratios):.2f}" if ratios else "",
                f"{min(ratios):.2f} .. {max(ratios):.2f}" if ratios else "",
                f"{statistics.median(by_cpu):.2f}" if by_cpu else "",
            )
    return table


def _turns(
    contestants: dict[str, Contestant], frames: Sequence[Image], batch: int, calls: int, repetitions: int
) -> dict[str, dict[str, list[float]]]:
    figures: dict[str, dict[str, list[float]]] = {
        name: {"frames_per_s": [], "cpu_ms_per_frame": [], "call_ms": [], "peak_mb": []}
        for name in contestants
    }
    endless = itertools.cycle(frames)
    batches = [list(itertools.islice(endless, batch)) for _ in range(calls)]
    for contestant in contestants.values():
        contestant(batches[0])  # the first call chooses kernels
    for _ in range(repetitions):
        for name, contestant in contestants.items():
            _turn(contestant, batches, figures[name])
    return figures


def _turn(
    contestant: Contestant, batches: Sequence[Sequence[Image]], figures: dict[str, list[float]]
) -> None:
    """Let one contestant see all batches, and add what it took to its figures."""
    seconds = []
    cpu = time.process_time()

    def run() -> None:
        for batch in batches:
            started = time.perf_counter()
            contestant(batch)
            seconds.append(time.perf_counter() - started)

    figures["peak_mb"].append(peak_mb(run))
    seen = sum(map(len, batches))
    figures["cpu_ms_per_frame"].append(1e3 * (time.process_time() - cpu) / seen)
    figures["frames_per_s"].append(seen / sum(seconds))
    figures["call_ms"] += [1e3 * each for each in seconds]


def _reference(contestants: dict[str, Any]) -> str:
    return next((name for name in ("detectron2 float32", "torchvision float32") if name in contestants), "")


def _ratios(
    figures: dict[str, list[float]], reference: dict[str, list[float]] | None
) -> tuple[list[float], list[float]]:
    """How many times as many frames/s as the reference, and as little CPU time, turn by turn."""
    if reference is None:
        return [], []
    speeds = zip(figures["frames_per_s"], reference["frames_per_s"], strict=True)
    costs = zip(figures["cpu_ms_per_frame"], reference["cpu_ms_per_frame"], strict=True)
    return [ours / theirs for ours, theirs in speeds], [theirs / ours for ours, theirs in costs]


def _contestants(folder: Path, depth: int | None) -> Iterator[tuple[str, Contestant]]:
    """Whoever can run here; float16 is for GPUs, a CPU without instructions for it takes seconds."""
    precisions = ["float32", "bfloat16"] + (["float16"] if torch.cuda.is_available() else [])
    for precision in precisions:
        yield f"native {precision}", load_runtime("native", folder, precision=precision).infer
    if find_spec("detectron2"):
        yield "detectron2 float32", load_runtime("detectron2", folder).infer
    if depth is not None:
        yield "torchvision float32", _torchvision(depth)


def _write(folder: Path, depth: int) -> Path:
    """Write a model folder of Detectron2's classic Mask R-CNN, untrained."""
    raw = _config(depth)
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    torch.manual_seed(0)
    torch.save({"model": build_model(parse_config(raw)).state_dict()}, folder / "model.pth")
    return folder


def _config(depth: int) -> dict[str, Any]:
    resnets: dict[str, Any] = {"DEPTH": depth, "OUT_FEATURES": LEVELS, "NORM": "FrozenBN"}
    if depth == 18:
        resnets["RES2_OUT_CHANNELS"] = 64
    return {
        "VERSION": 2,
        "INPUT": {"MIN_SIZE_TEST": 256, "MAX_SIZE_TEST": 1600},
        "MODEL": {
            "MASK_ON": True,
            "WEIGHTS": "model.pth",
            "PIXEL_MEAN": MEAN,
            "PIXEL_STD": DEVIATION,
            "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
            "RESNETS": resnets,
            "FPN": {"IN_FEATURES": LEVELS},
            "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
            "RPN": {
                "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
                "PRE_NMS_TOPK_TEST": PROPOSALS,
                "POST_NMS_TOPK_TEST": PROPOSALS,
            },
            "ROI_HEADS": {
                "NAME": "StandardROIHeads",
                "IN_FEATURES": ["p2", "p3", "p4", "p5"],
                "NUM_CLASSES": CLASSES,
            },
            "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
            "ROI_MASK_HEAD": {"NUM_CONV": 4},
        },
        "TEST": {"DETECTIONS_PER_IMAGE": DETECTIONS},
    }


def _torchvision(depth: int) -> Contestant:
    """Torchvision's Mask R-CNN of the same size, untrained; its masks are pasted, and not encoded."""
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # noqa: PLC0415 - slow
    from torchvision.models.detection.mask_rcnn import MaskRCNN  # noqa: PLC0415

    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name=f"resnet{depth}", weights=None)
    model: nn.Module = MaskRCNN(
        backbone,
        num_classes=1 + CLASSES,
        min_size=256,
        max_size=1600,
        image_mean=[value / 255 for value in MEAN],
        image_std=[value / 255 for value in DEVIATION],
        box_detections_per_img=DETECTIONS,
        rpn_pre_nms_top_n_test=PROPOSALS,
        rpn_post_nms_top_n_test=PROPOSALS,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.eval().to(device)

    @torch.inference_mode()
    def infer(images: Sequence[Image]) -> object:
        batch = [torch.from_numpy(image).to(device).expand(3, -1, -1) / 255 for image in images]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = model(batch)
        return [{name: value.cpu() for name, value in answer.items()} for answer in answers]

    return infer
