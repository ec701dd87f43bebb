"""Judging a model while it is trained, on frames that it does not learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from edge.training.dataset import Dataset
from edge.training.evaluation.average_precision import class_precisions, mean_precision
from edge.training.evaluation.comparison import Comparison, compare_all
from edge.training.evaluation.tally import Tally, above
from edge.training.evaluation.thresholds import tune
from edge.training.evaluation.truth import truths_of
from edge.training.samples import Sample
from edge.vision.detections import Detections
from edge.vision.native.config import Input
from edge.vision.native.postprocess import to_frame
from edge.vision.native.preprocess import resized_size, to_input
from edge.vision.native.rcnn import GeneralizedRCNN


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good a model is on the frames of one set, at the thresholds that suit all sets together.

    ``found`` and ``false_alarms_per_clean_frame`` are lists by class; nan where nothing can be counted.
    """

    frames: int
    dice: float
    dice_of_nothing: float
    box_ap50: float
    found: list[float]
    false_alarms_per_clean_frame: list[float]
    has_masks: bool

    @property
    def score(self) -> float:
        """What the best model has most of: Dice beyond finding nothing, or box mAP50 without masks."""
        return self.dice - self.dice_of_nothing if self.has_masks else self.box_ap50

    def record(self) -> dict[str, Any]:
        """Plain values for a line of metrics, rounded to what they are worth; None for what is not known."""
        return {
            "frames": self.frames,
            "dice": _known(self.dice),
            "dice_of_nothing": _known(self.dice_of_nothing),
            "box_ap50": _known(self.box_ap50),
            "found": [_known(value) for value in self.found],
            "false_alarms_per_clean_frame": [_known(value) for value in self.false_alarms_per_clean_frame],
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts by set, and the score threshold of each class that gives the best Dice on all of them."""

    verdicts: dict[str, Verdict]
    thresholds: list[float]

    @property
    def score(self) -> float:
        """Mean over the sets that tell; nan where none does: there are boxes only, and no defects."""
        known = [score for v in self.verdicts.values() if np.isfinite(score := v.score)]
        return float(np.mean(known)) if known else float("nan")


def judge(
    model: GeneralizedRCNN, config: Input, sets: Mapping[str, Dataset], dtype: torch.dtype | None
) -> Judgement:
    """Look at every frame of every set; ``dtype`` is the precision of the convolutions, None for float32."""
    compared = {name: _compared(model, config, dataset, dtype) for name, dataset in sets.items()}
    classes = len(next(iter(sets.values())).class_names)
    thresholds = tune(_tallies([c for part in compared.values() for c in part], classes), "dice")
    verdicts = {
        name: _verdict(comparisons, thresholds, has_masks=sets[name].has_masks)
        for name, comparisons in compared.items()
    }
    return Judgement(verdicts, thresholds)


@torch.inference_mode()
def detect(model: GeneralizedRCNN, sample: Sample, config: Input, dtype: torch.dtype | None) -> Detections:
    """Detections on one grey frame, seen as the config says."""
    frame = sample.image.shape
    seen = resized_size(frame[0], frame[1], config)
    pixels = to_input(sample.image, seen, rgb=False).to(model.pixel_mean.device)
    with torch.autocast(pixels.device.type, dtype, enabled=dtype is not None):
        raw = model(model.batch([pixels]))
    return to_frame(raw[0], seen, (frame[0], frame[1]))


def _compared(
    model: GeneralizedRCNN, config: Input, dataset: Dataset, dtype: torch.dtype | None
) -> list[Comparison]:
    found = [detect(model, frame.read(), config, dtype) for frame in dataset.frames]
    return compare_all(
        truths_of(dataset.frames), found, classes=len(dataset.class_names), has_masks=dataset.has_masks
    )


def _verdict(comparisons: Sequence[Comparison], thresholds: Sequence[float], *, has_masks: bool) -> Verdict:
    classes = len(thresholds)
    tallies = _tallies(comparisons, classes)
    at = [np.array([threshold], np.float32) for threshold in thresholds]
    precisions = class_precisions(comparisons, "box", classes=classes)
    ap50 = mean_precision([precision.average for precision in precisions]).ap50
    return Verdict(
        frames=len(comparisons),
        dice=float(np.mean([tally.dice(own).mean() for tally, own in zip(tallies, at, strict=True)])),
        dice_of_nothing=float(np.mean([1.0 - tally.shown.mean() for tally in tallies])),
        box_ap50=float("nan") if ap50 is None else ap50,
        found=[
            _part(above(tally.found_scores, own)[0], tally.defects)
            for tally, own in zip(tallies, at, strict=True)
        ],
        false_alarms_per_clean_frame=[
            _part(above(tally.clean_alarm_scores, own)[0], tally.clean_frames)
            for tally, own in zip(tallies, at, strict=True)
        ],
        has_masks=has_masks,
    )


def _tallies(comparisons: Sequence[Comparison], classes: int) -> list[Tally]:
    return [Tally.of(comparisons, class_id) for class_id in range(classes)]


def _part(count: np.int64, whole: int) -> float:
    return float(count) / whole if whole else float("nan")


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
