"""The model alone: ours in each precision and as exports, Detectron2 and torchvision; frames of 1600 × 256.

Contestants take turns in one process, so that whatever else the machine does meets all of them; ratios are
taken within each turn, to Detectron2 where it is installed, else to torchvision, else to the native runtime
in float32. CPU time is that of all threads: less of it than cores would give tells of idle cores. Percentiles
are those of calls, of however many frames. Exports are as they are for people, but for the tolerances: of
random weights, detections that are all but equally likely change places by any rounding.
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

import torch
from torch import nn

from edge.training.synthetic import SyntheticStrip
from edge.vision.export.write import Request, export
from edge.vision.exported.record import Format, Precision, Tolerances
from edge.vision.runtime import BUNDLED_MODEL, Image, load_runtime
from tests.bench.figures import Figures, Result, percentiles, table_of
from tests.bench.memory import peak_mib
from tests.bench.networks import CLASSES, DETECTIONS, DEVIATION, MEAN, PROPOSALS, write_random
from tests.support.exports import kept_graphs

__all__ = ["measure", "table_of"]

FRAMES = 8
CALIBRATION_FRAMES = 8
REFERENCES = ("Detectron2 float32", "torchvision float32", "native float32")
EXPORTS: tuple[tuple[Format, Precision], ...] = (
    ("onnx", "float32"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "int8"),
)
ANY_ANSWER = Tolerances(error=float(2**20), iou=0.0, score=1.0, agreement=0.0)
_MS_PER_S = 1000

Contestant = Callable[[Sequence[Image]], object]


@dataclass(frozen=True, slots=True)
class Subject:
    """A size of model: ``depth`` of its ResNet, None for the bundled one; calls a turn by frames a call."""

    name: str
    depth: int | None
    calls: dict[int, int]


SUBJECTS = (
    Subject("bundled", None, {1: 8, 8: 1, 32: 1}),
    Subject("R18-FPN", 18, {1: 4, 4: 1}),
    Subject("R50-FPN", 50, {1: 2}),
)


def measure(repetitions: int, subjects: Sequence[Subject] = SUBJECTS) -> Result:
    """Let all contestants of every size run in turn, with so many frames a call."""
    figures = Figures("The model alone, 1600 × 256; R18 and R50 with 1,000 proposals")
    strip = SyntheticStrip(seed=7)
    frames = [strip.frame(number).image for number in range(FRAMES)]
    for subject in subjects:
        with tempfile.TemporaryDirectory() as place:
            contestants = dict(_contestants(subject, Path(place)))
            for batch, calls in subject.calls.items():
                endless = itertools.cycle(frames)
                batches = [list(itertools.islice(endless, batch)) for _ in range(calls)]
                for contestant in contestants.values():
                    contestant(batches[0])  # the first call chooses kernels
                for _ in range(repetitions):
                    _turn(figures, f"{subject.name}, {batch} a call", contestants, batches)
    return figures.result()


def _turn(
    figures: Figures, what: str, contestants: dict[str, Contestant], batches: Sequence[Sequence[Image]]
) -> None:
    took = {name: _run(contestant, batches) for name, contestant in contestants.items()}
    reference = next(name for name in REFERENCES if name in took)
    for name, values in took.items():
        figures.add(f"{what}: {name}", **values)
        if name == reference:
            continue
        for figure, ratio in (
            ("frames/s", values["frames_per_s"] / took[reference]["frames_per_s"]),
            ("CPU saved", took[reference]["cpu_ms_per_frame"] / values["cpu_ms_per_frame"]),
        ):
            figures.add_ratio(f"{what}: {name} / {reference}, {figure}", ratio)


def _run(contestant: Contestant, batches: Sequence[Sequence[Image]]) -> dict[str, float]:
    """Let one contestant see all batches."""
    seconds = []
    cpu_began_s = time.process_time()

    def run() -> None:
        for batch in batches:
            began = time.perf_counter()
            contestant(batch)
            seconds.append(time.perf_counter() - began)

    peak = peak_mib(run)
    seen = sum(map(len, batches))
    waits_ms = [_MS_PER_S * each for each in seconds]
    return {
        "frames_per_s": seen / sum(seconds),
        "cpu_ms_per_frame": _MS_PER_S * (time.process_time() - cpu_began_s) / seen,
        **({"peak_mib": peak} if peak is not None else {}),
        **(percentiles(waits_ms) if len(waits_ms) > 1 else {"p50_ms": statistics.median(waits_ms)}),
    }


def _contestants(subject: Subject, place: Path) -> Iterator[tuple[str, Contestant]]:
    """Whoever can run here; float16 is for GPUs, a CPU without instructions for it takes seconds."""
    folder = BUNDLED_MODEL if subject.depth is None else write_random(place / "model", subject.depth)
    for precision in ["float32", "bfloat16", *(["float16"] if torch.cuda.is_available() else [])]:
        yield f"native {precision}", load_runtime("native", folder, precision=precision).infer
    yield from _exported(folder, place)
    if find_spec("detectron2"):
        yield "Detectron2 float32", load_runtime("detectron2", folder).infer
    if subject.depth is not None:
        yield "torchvision float32", _torchvision(subject.depth)


def _exported(folder: Path, place: Path) -> Iterator[tuple[str, Contestant]]:
    strip = SyntheticStrip(seed=8)
    frames = [strip.frame(number).image for number in range(CALIBRATION_FRAMES)]
    with kept_graphs():
        for export_format, precision in EXPORTS:
            out = place / f"{export_format}-{precision}"
            calibration = frames if precision == "int8" else ()
            export(
                folder, out, Request(export_format, precision, frames[:1], "bench", calibration, ANY_ANSWER)
            )
            yield f"{export_format} {precision}", load_runtime(export_format, out).infer


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
