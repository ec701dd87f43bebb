"""All figures of a model on a set of frames, from its detections alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import SettingsError
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.average_precision import ClassPrecision, class_precisions, mean_precision
from edge.training.evaluation.calibration import calibration
from edge.training.evaluation.comparison import Comparison, compare_all, overlap_of
from edge.training.evaluation.confusion import confusion
from edge.training.evaluation.figures import by_frame, class_figures, mill_total
from edge.training.evaluation.folds import cross_tuned, fold_figures
from edge.training.evaluation.record import AveragePrecision, ClassFigures, Evaluation, Total
from edge.training.evaluation.tally import Tally
from edge.training.evaluation.thresholds import DEFAULT_MOST_FALSE_ALARMS, Target, tune
from edge.training.evaluation.truth import truths_of
from edge.training.samples import Sample
from edge.vision.detections import Detections

# The pitch that replayed cameras assume too: Severstal does not tell its own.
ASSUMED_PITCH_Y_MM = 0.2


@dataclass(frozen=True, slots=True)
class Tuning:
    """What thresholds are tuned for; `tune` says what the targets mean."""

    target: Target = "dice"
    most_false_alarms: float = DEFAULT_MOST_FALSE_ALARMS

    def __call__(self, tallies: Sequence[Tally]) -> list[float]:
        """Choose a threshold for each class."""
        return tune(tallies, self.target, most_false_alarms=self.most_false_alarms)

    def __str__(self) -> str:
        """Say the target in words."""
        limit = f" (at most {self.most_false_alarms:g} a clean frame)"
        return f"{self.target}{limit if self.target == 'false-alarms' else ''}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where detections and thresholds come from; the record repeats it."""

    model_name: str = ""
    model_version: str = ""
    data: str = ""
    thresholds: str = "given"
    lowest_score: float | None = None
    frames_per_second: float | None = None


def evaluate_detections(
    frames: Sequence[Sample | LabelledFrame],
    found: Sequence[Detections],
    class_names: Sequence[str],
    *,
    thresholds: Sequence[float] | None = None,
    tuning: Tuning | None = None,
    has_masks: bool = True,
    pitch_y_mm: float = ASSUMED_PITCH_Y_MM,
    origin: Origin | None = None,
    folds: Sequence[str] | None = None,
) -> Evaluation:
    """Compare detections with the truth; no picture is looked at.

    Args:
        frames: labelled frames, in memory or in files.
        found: the detections on each, best first, down to a low score.
        class_names: by class id.
        thresholds: the score that each class must exceed; None to tune them on these very frames.
        tuning: what thresholds are tuned for, also for the cross-tuned figures; default: Dice.
        has_masks: whether the truth has masks; else boxes are compared.
        pitch_y_mm: mm of strip a pixel row.
        origin: repeated in the record.
        folds: for each frame the name of the fold it belongs to, if the frames come from several.

    Raises:
        SettingsError: there are no frames, or no clean ones where thresholds are tuned for false alarms.
    """
    if not frames:
        raise SettingsError("there are no frames to evaluate on")
    tuning, origin = tuning or Tuning(), origin or Origin()
    overlap = overlap_of(found, has_masks=has_masks)
    comparisons = compare_all(truths_of(frames), found, classes=len(class_names), has_masks=has_masks)
    tallies = [Tally.of(comparisons, class_id) for class_id in range(len(class_names))]
    used = tuning(tallies) if thresholds is None else [float(value) for value in thresholds]
    boxes = class_precisions(comparisons, "box", classes=len(class_names))
    masks = class_precisions(comparisons, "mask", classes=len(class_names)) if overlap == "mask" else None
    length_m = sum(c.truth.height_px for c in comparisons) * pitch_y_mm / 1000
    classes = [
        class_figures(
            name,
            tally,
            used[class_id],
            box=boxes[class_id],
            mask=masks[class_id] if masks else None,
            length_m=length_m,
        )
        for class_id, (name, tally) in enumerate(zip(class_names, tallies, strict=True))
    ]
    return Evaluation(
        model_name=origin.model_name,
        model_version=origin.model_version,
        data=origin.data,
        class_names=list(class_names),
        frames=len(frames),
        clean_frames=sum(c.clean for c in comparisons),
        pitch_y_mm=pitch_y_mm,
        length_m=length_m,
        overlap=overlap,
        lowest_score=origin.lowest_score,
        thresholds_from=f"tuned on these frames for {tuning}" if thresholds is None else origin.thresholds,
        frames_per_second=origin.frames_per_second,
        total=_total(comparisons, classes, tallies, used, masks or boxes, length_m=length_m),
        classes=classes,
        confusion=confusion(comparisons, used, class_names),
        by_frame=by_frame(comparisons, used),
        cross_tuned=cross_tuned(comparisons, tuning, folds),
        folds=fold_figures(comparisons, used, folds) if folds is not None else None,
    )


def _total(
    comparisons: Sequence[Comparison],
    classes: Sequence[ClassFigures],
    tallies: Sequence[Tally],
    thresholds: Sequence[float],
    strict: Sequence[ClassPrecision],
    *,
    length_m: float,
) -> Total:
    clean_frames = sum(c.clean for c in comparisons)
    shown = np.concatenate([tally.shown for tally in tallies])
    dice = np.concatenate(
        [
            tally.dice(np.array([limit], np.float32))[:, 0]
            for tally, limit in zip(tallies, thresholds, strict=True)
        ]
    )
    with_masks = [figures.mask for figures in classes if figures.mask is not None]
    return Total(
        dice=float(dice.mean()),
        dice_where_present=float(dice[shown].mean()) if shown.any() else None,
        dice_of_nothing=float((~shown).mean()),
        mill=mill_total([figures.mill for figures in classes], clean_frames, length_m),
        box=mean_precision([figures.box for figures in classes]),
        mask=_mean_or_none(with_masks),
        calibration=calibration([precision.match for precision in strict]),
    )


def _mean_or_none(of_classes: Sequence[AveragePrecision]) -> AveragePrecision | None:
    return mean_precision(of_classes) if of_classes else None
