"""Figures of a model folder: ``python -m edge.training.evaluate --model DIR [--severstal DIR]``.

Prints JSON lines: synthetic strip of a seed that neither training nor threshold tuning saw, held-out real
frames at the model's own thresholds, the same with each half's thresholds tuned on the other half, and speed.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.training.data.severstal import held_out, read_frames
from edge.training.engine.validation import as_record, synthetic_frames
from edge.training.evaluation.figures import Figures, detect_all, evaluate, tune_thresholds
from edge.training.samples import Sample
from edge.vision.detections import Detections
from edge.vision.model_folder import read_model_folder
from edge.vision.native.runtime import NativeRuntime

_REPORT_SEED = 42
# Low enough for every threshold that tuning tries.
_LOWEST_SCORE = 0.05


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and print figures."""
    options = _parser().parse_args(arguments)
    thresholds = read_model_folder(options.model).score_thresholds
    runtime = NativeRuntime(
        options.model,
        device="cpu",
        precision=options.precision,
        threads=options.threads,
        score_threshold=_LOWEST_SCORE,
    )
    runtime.warmup()
    for mix, balanced in (("natural", False), ("balanced", True)):
        samples = synthetic_frames(options.frames, seed=_REPORT_SEED, balanced=balanced)
        found, rate = _timed(runtime, samples)
        figures = evaluate(samples, found, thresholds)
        _print({"data": f"synthetic, {mix} mix", "frames_per_second": rate, **as_record(figures)})
    if options.severstal:
        samples = [frame for frame in read_frames(options.severstal) if held_out(frame.name)]
        found, rate = _timed(runtime, samples)
        figures = evaluate(samples, found, thresholds)
        _print({"data": "real, held out", "frames_per_second": rate, **as_record(figures)})
        _print({"data": "real, thresholds of the other half", "dice": cross_tuned_dice(samples, found)})


def cross_tuned_dice(samples: Sequence[Sample], found: Sequence[Detections]) -> float:
    """Mean Dice where the thresholds of each half of the frames are those that suit the other half."""
    halves = [slice(0, None, 2), slice(1, None, 2)]
    dices = []
    for judged, tuned in (halves, halves[::-1]):
        thresholds = tune_thresholds(samples[tuned], found[tuned])
        figures: Figures = evaluate(samples[judged], found[judged], thresholds)
        dices.append(figures.dice)
    return round(float(np.mean(dices)), 4)


def _timed(runtime: NativeRuntime, samples: Sequence[Sample]) -> tuple[list[Detections], float]:
    """Detections, and frames per second one by one."""
    start = time.perf_counter()
    found = detect_all(lambda image: runtime.infer([image])[0], samples)
    return found, round(len(samples) / (time.perf_counter() - start), 1)


def _print(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge.training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--severstal", type=Path, help="folder with train.csv and frames.csv")
    parser.add_argument("--frames", type=int, default=200, help="synthetic frames of each mix")
    parser.add_argument("--precision", default="bfloat16", help="of the convolutions")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    main()
