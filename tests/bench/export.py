"""Frames/s of a model in the runtimes that it can be exported to, against the native runtime in float32.

The same frames of 1600 x 256 px, one a call, turn and turn about in one process, so that whatever else the
machine does meets all. Networks but the bundled one have random weights: what they find means nothing, what
it costs is what 1,000 proposals cost. Exports are as they are for people, but for the tolerances: of random
weights, detections that are all but equally likely change places by any rounding.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.table import Table

from edge.training.synthetic import SyntheticStrip
from edge.vision.export.write import Request, export
from edge.vision.exported.record import Format, Precision, Tolerances
from edge.vision.native.config import parse_config
from edge.vision.native.rcnn import build_model
from edge.vision.runtime import BUNDLED_MODEL, Image, Runtime, load_runtime
from tests.support.exports import kept_graphs

FRAMES = 8
WARMUP_FRAMES = 2
CALIBRATION_FRAMES = 8
EXPORTS: tuple[tuple[Format, Precision], ...] = (
    ("onnx", "float32"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "int8"),
)
NATIVE = "native float32"
ANY_ANSWER = Tolerances(error=float(2**20), iou=0.0, score=1.0, agreement=0.0)


def measure(repetitions: int, depths: Sequence[int | None] = (None, 18, 50)) -> list[dict[str, Any]]:
    """Frames/s and CPU time, turn by turn; of ``depths`` of ResNets, None is the bundled model."""
    strip = SyntheticStrip(seed=7)
    frames = [strip.frame(number).image for number in range(FRAMES)]
    results = []
    for depth in depths:
        with tempfile.TemporaryDirectory() as place:
            model = BUNDLED_MODEL if depth is None else random_resnet(Path(place), depth)
            contestants = {NATIVE: load_runtime("native", model, device="cpu")}
            contestants |= _exported(model, Path(place), frames)
            figures = _in_turn(contestants, frames, repetitions)
        subject = "bundled model" if depth is None else f"R{depth}-FPN, 1,000 proposals"
        results.append({"subject": subject, **figures})
    return results


def table_of(results: Sequence[dict[str, Any]]) -> Table:
    """Medians, and how many times as good as the native runtime in float32, with the spread."""
    table = Table(
        title="exports, frames/s of 1600 x 256, median, and ratio to native float32", title_justify="left"
    )
    table.add_column("subject")
    table.add_column("runtime")
    for head in ("frames/s", "ratio", "spread", "CPU ms/frame", "ratio", "spread"):
        table.add_column(head, justify="right")
    for result in results:
        rates, costs = result["frames_per_s"], result["cpu_ms_per_frame"]
        for name in rates:
            row = (
                *_of_native(rates, name, more_is_better=True),
                *_of_native(costs, name, more_is_better=False),
            )
            table.add_row(result["subject"], name, *row)
    return table


def _of_native(figures: dict[str, list[float]], name: str, *, more_is_better: bool) -> tuple[str, str, str]:
    """Return the median, how many times as good as the native runtime it is, and the spread of that."""
    pairs = zip(figures[name], figures[NATIVE], strict=True)
    ratios = [ours / theirs if more_is_better else theirs / ours for ours, theirs in pairs]
    spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"
    return f"{statistics.median(figures[name]):.2f}", f"{statistics.median(ratios):.2f}", spread


def random_resnet(place: Path, depth: int) -> Path:
    """Write a model folder of a ResNet with FPN of 256 channels, and random weights."""
    raw: dict[str, Any] = {
        "VERSION": 2,
        "INPUT": {"MIN_SIZE_TEST": 256, "MAX_SIZE_TEST": 1600},
        "MODEL": {
            "META_ARCHITECTURE": "GeneralizedRCNN",
            "MASK_ON": True,
            "WEIGHTS": "model.pth",
            "PIXEL_STD": [57.0, 57.0, 57.0],
            "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
            "RESNETS": {"DEPTH": depth, "OUT_FEATURES": ["res2", "res3", "res4", "res5"]},
            "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
            "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
            "RPN": {
                "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
                "PRE_NMS_TOPK_TEST": 1000,
                "POST_NMS_TOPK_TEST": 1000,
            },
            "ROI_HEADS": {
                "NAME": "StandardROIHeads",
                "IN_FEATURES": ["p2", "p3", "p4", "p5"],
                "NUM_CLASSES": 4,
            },
            "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
            "ROI_MASK_HEAD": {"NUM_CONV": 4},
        },
        "TEST": {"DETECTIONS_PER_IMAGE": 10},
    }
    if depth < 50:
        raw["MODEL"]["RESNETS"]["RES2_OUT_CHANNELS"] = 64
    folder = place / f"r{depth}"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    torch.manual_seed(0)
    torch.save({"model": build_model(parse_config(raw)).state_dict()}, folder / "model.pth")
    return folder


def _exported(model: Path, place: Path, frames: Sequence[Image]) -> dict[str, Runtime]:
    calibration = [SyntheticStrip(seed=8).frame(number).image for number in range(CALIBRATION_FRAMES)]
    runtimes = {}
    with kept_graphs():
        for export_format, precision in EXPORTS:
            out = place / f"{export_format}-{precision}"
            by = calibration if precision == "int8" else ()
            request = Request(export_format, precision, frames[:1], "bench", by, ANY_ANSWER)
            export(model, out, request)
            runtimes[f"{export_format} {precision}"] = load_runtime(export_format, out)
    return runtimes


def _in_turn(
    contestants: dict[str, Runtime], frames: Sequence[Image], repetitions: int
) -> dict[str, dict[str, list[float]]]:
    for runtime in contestants.values():
        _run(runtime, frames[:WARMUP_FRAMES])
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, runtime in contestants.items():
            seconds, cpu_seconds = _run(runtime, frames)
            rates[name].append(len(frames) / seconds)
            costs[name].append(1000 * cpu_seconds / len(frames))
    return {"frames_per_s": rates, "cpu_ms_per_frame": costs}


def _run(runtime: Runtime, frames: Sequence[Image]) -> tuple[float, float]:
    """Return seconds, and CPU seconds of all threads, which a busy machine leaves much as they are."""
    started_at, cpu_started_at = time.perf_counter(), time.process_time()
    for frame in frames:
        runtime.infer([frame])
    return time.perf_counter() - started_at, time.process_time() - cpu_started_at
