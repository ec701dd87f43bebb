"""Figures of classes and frames at chosen thresholds: Dice, and what a mill asks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.training.evaluation.average_precision import ClassPrecision
from edge.training.evaluation.calibration import calibration
from edge.training.evaluation.comparison import FOUND_IOU, Comparison
from edge.training.evaluation.record import ByThreshold, ClassFigures, FrameFigures, MillFigures
from edge.training.evaluation.tally import Tally, above

# What the curves over thresholds are drawn from.
CURVE = np.round(np.arange(0.05, 0.96, 0.01), 2).astype(np.float32)


def class_figures(
    name: str,
    tally: Tally,
    threshold: float,
    *,
    box: ClassPrecision,
    mask: ClassPrecision | None,
    length_m: float,
) -> ClassFigures:
    """Everything about one class; curve and calibration are of masks where there are any."""
    dice = tally.dice(np.array([threshold], np.float32))[:, 0]
    strict = mask or box
    return ClassFigures(
        name=name,
        threshold=threshold,
        frames=int(tally.shown.sum()),
        dice=float(dice.mean()),
        dice_where_present=float(dice[tally.shown].mean()) if tally.shown.any() else None,
        dice_of_nothing=float((~tally.shown).mean()),
        mill=_mill_figures(tally, threshold, length_m),
        box=box.average,
        mask=mask.average if mask else None,
        precision_recall=strict.curve,
        by_threshold=_by_threshold(tally),
        calibration=calibration([strict.match]),
    )


def mill_total(of_classes: Sequence[MillFigures], clean_frames: int, length_m: float) -> MillFigures:
    """Add up the classes."""

    def total(name: str) -> int:
        return sum(getattr(figures, name) for figures in of_classes)

    alarms, clean_alarms, missed = (
        total("false_alarms"),
        total("false_alarms_on_clean_frames"),
        total("missed"),
    )
    return MillFigures(
        defects=total("defects"),
        found=total("found"),
        found_at_iou50=total("found_at_iou50"),
        missed=missed,
        detections=total("detections"),
        false_alarms=alarms,
        false_alarms_on_clean_frames=clean_alarms,
        false_alarms_per_clean_frame=_ratio(clean_alarms, clean_frames),
        missed_per_100m=_ratio(100 * missed, length_m),
        false_alarms_per_100m=_ratio(100 * alarms, length_m),
    )


def by_frame(comparisons: Sequence[Comparison], thresholds: Sequence[float]) -> list[FrameFigures]:
    """Figures of each frame, in order."""
    limits = np.asarray(thresholds, np.float32)
    return [_frame_figures(comparison, limits) for comparison in comparisons]


def _mill_figures(tally: Tally, threshold: float, length_m: float) -> MillFigures:
    at = np.array([threshold], np.float32)
    found = int(above(tally.found_scores, at)[0])
    alarms = int(above(tally.alarm_scores, at)[0])
    clean_alarms = int(above(tally.clean_alarm_scores, at)[0])
    missed = tally.defects - found
    return MillFigures(
        defects=tally.defects,
        found=found,
        found_at_iou50=int(above(tally.strict_scores, at)[0]),
        missed=missed,
        detections=int(above(tally.hit_scores, at)[0]) + alarms,
        false_alarms=alarms,
        false_alarms_on_clean_frames=clean_alarms,
        false_alarms_per_clean_frame=_ratio(clean_alarms, tally.clean_frames),
        missed_per_100m=_ratio(100 * missed, length_m),
        false_alarms_per_100m=_ratio(100 * alarms, length_m),
    )


def _by_threshold(tally: Tally) -> ByThreshold:
    found, alarms = above(tally.found_scores, CURVE), above(tally.clean_alarm_scores, CURVE)
    return ByThreshold(
        thresholds=[round(float(threshold), 2) for threshold in CURVE],
        dice=tally.dice(CURVE).mean(axis=0).tolist(),
        found=(found / tally.defects).tolist() if tally.defects else None,
        false_alarms_per_clean_frame=(alarms / tally.clean_frames).tolist() if tally.clean_frames else None,
    )


def _frame_figures(comparison: Comparison, thresholds: npt.NDArray[np.float32]) -> FrameFigures:
    found = comparison.found
    kept = found.scores > thresholds[found.classes]
    right = comparison.defect_classes[:, None] == found.classes[None, :]
    meets = (comparison.iou >= FOUND_IOU) & right & kept[None, :]
    dice = [float(p.at(thresholds[[c]])[0]) for c, p in enumerate(comparison.dice)]
    shown = {int(class_id) for class_id in comparison.defect_classes}
    return FrameFigures(
        file_name=comparison.truth.name,
        dice=float(np.mean(dice)),
        dice_by_class=dice,
        dice_of_nothing=1 - len(shown) / len(dice),
        defects=len(comparison.defect_classes),
        found=int(meets.any(axis=1).sum()),
        false_alarms=int((kept & ~meets.any(axis=0)).sum()),
    )


def _ratio(count: float, whole: float) -> float | None:
    return count / whole if whole else None
