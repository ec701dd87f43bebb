"""An export is compared with the native runtime, graph by graph and in what both find on frames."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edge.errors import ExportRefusedError
from edge.vision.detections import Detections
from edge.vision.export.agreement import relative_error, unmatched
from edge.vision.export.parts import Part
from edge.vision.export.samples import part_inputs
from edge.vision.exported.record import ExportRecord, Tolerances, Verification
from edge.vision.exported.runtime import ExportedRuntime, engine_for, load_graphs
from edge.vision.model_folder import ModelFolder
from edge.vision.native.rcnn import GeneralizedRCNN
from edge.vision.native.runtime import NativeRuntime
from edge.vision.runtime import Image

# float32: rounding alone, and every detection the same. Rounding to 8 bits of mantissa puts outputs of the
# bundled model off by 0.06 at most; rounding to 256 steps, calibrated on steel like that of the frames, by
# 0.3 on the worst of 24 frames. A graph that computes something else is off by 1 and more.
TOLERANCES = {
    "float32": Tolerances(error=1e-4, iou=0.99, score=1e-3, agreement=1.0),
    "bfloat16": Tolerances(error=0.1, iou=0.7, score=0.1, agreement=0.9),
    "int8": Tolerances(error=0.5, iou=0.5, score=0.1, agreement=0.75),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """An export in the making, in the folder ``made``, and what it was made from."""

    made: Path
    record: ExportRecord
    source: ModelFolder
    network: GeneralizedRCNN
    parts: Sequence[Part]


def verify(
    subject: Subject, frames: Sequence[Image], *, frames_from: str, tolerances: Tolerances
) -> Verification:
    """Compare what lies in the export's folder with the network that it was made from.

    Raises:
        ExportRefusedError: names what differs by more than the tolerances.
    """
    errors = graph_errors(subject, frames)
    detections, agreement = compare_detections(subject, frames, tolerances)
    differing = [
        f"{name} differs by {error:.2g} of its size, where {tolerances.error:g} is tolerated"
        for name, error in sorted(errors.items(), key=lambda item: -item[1])
        if not error <= tolerances.error
    ]
    if agreement < tolerances.agreement:
        differing.append(
            f"of {detections} detections on {len(frames)} frames {agreement:.1%} are the same, "
            f"where {tolerances.agreement:.1%} must be"
        )
    if differing:
        raise ExportRefusedError(
            f"the export to {subject.record.format} in {subject.record.precision} answers otherwise than the "
            f"native runtime, and was not written: {'; '.join(differing)}"
        )
    rounded = {name: float(f"{error:.2g}") for name, error in errors.items()}
    return Verification(len(frames), frames_from, detections, agreement, rounded, tolerances)


@torch.inference_mode()
def graph_errors(subject: Subject, frames: Sequence[Image]) -> dict[str, float]:
    """Return the largest relative error over the frames, by graph and output; all get the native inputs."""
    config, record = subject.source.config, subject.record
    graphs = load_graphs(subject.made, record, config, engine_for(record))
    errors: dict[str, float] = defaultdict(float)
    for inputs in part_inputs(subject.network, config, subject.parts, frames):
        for part in subject.parts:
            x = inputs[part.name]
            for name, output, expected in zip(part.outputs, graphs[part.name](x), part(x), strict=True):
                key = f"{part.name}.{name}"
                errors[key] = max(errors[key], relative_error(output, expected))
    return dict(errors)


def compare_detections(
    subject: Subject, frames: Sequence[Image], tolerances: Tolerances
) -> tuple[int, float]:
    """Return how many detections the native runtime decides on, and the part of both's that are the same."""
    thresholds = np.array(subject.source.score_thresholds, np.float32)
    lowest = max(0.0, float(thresholds.min()) - tolerances.score)
    native = NativeRuntime(subject.source.config_file.parent, device="cpu", score_threshold=lowest)
    exported = ExportedRuntime(
        subject.made, name=subject.record.format, score_threshold=lowest, is_verified=False
    )
    ours = theirs = missing = 0
    for frame, found in zip(frames, _in_pairs(exported, frames), strict=True):
        (expected,) = native.infer([frame])
        there, unfound = unmatched(expected, found, thresholds, tolerances)
        here, unexpected = unmatched(found, expected, thresholds, tolerances)
        ours, theirs, missing = ours + here, theirs + there, missing + unfound + unexpected
    return theirs, 1 - missing / max(1, ours + theirs)


def _in_pairs(runtime: ExportedRuntime, frames: Sequence[Image]) -> Iterator[Detections]:
    """Ask for two frames at a time: a graph that is right for one alone is not what a daemon needs."""
    for first in range(0, len(frames), 2):
        yield from runtime.infer(frames[first : first + 2])
