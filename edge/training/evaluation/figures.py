"""How good a model is: Severstal's Dice, recall and false alarms, and the thresholds that suit it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.samples import Sample
from edge.vision.detections import Detections

CLASS_COUNT = 4
_IOU = 0.5
_LOOSE_IOU = 0.3
# No higher: a class that the model is never sure of would not be reported at all, which is the best Dice of a
# weak model and no use to an operator.
_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 16))

Infer = Callable[[npt.NDArray[np.uint8]], Detections]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class over a set of frames, at one score threshold."""

    threshold: float
    dice: float  # Severstal's: mean over frames, 1 where truth and prediction are both empty
    dice_where_present: float  # over the frames that show the class; nan if none does
    recall_iou50: float  # part of the defects that a detection of the class meets with box IoU 0.5
    recall_iou30: float
    false_alarms_per_clean_frame: float
    defects: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a model on a set of frames."""

    frames: int
    dice: float  # mean over frames and classes
    dice_of_nothing: float  # what a model that finds nothing gets
    classes: tuple[ClassFigures, ...]


def detect_all(infer: Infer, samples: Sequence[Sample]) -> list[Detections]:
    """Run a model over samples, one by one."""
    return [infer(sample.image) for sample in samples]


def evaluate(samples: Sequence[Sample], found: Sequence[Detections], thresholds: Sequence[float]) -> Figures:
    """Compare detections with the truth at one score threshold for each class."""
    classes = tuple(
        _class_figures(samples, found, class_id, threshold) for class_id, threshold in enumerate(thresholds)
    )
    empty = [not any(i.class_id == c for i in s.instances) for s in samples for c in range(len(thresholds))]
    return Figures(
        frames=len(samples),
        dice=float(np.mean([figures.dice for figures in classes])),
        dice_of_nothing=float(np.mean(empty)),
        classes=classes,
    )


def tune_thresholds(
    samples: Sequence[Sample], found: Sequence[Detections], classes: int = CLASS_COUNT
) -> list[float]:
    """For each class the score threshold with the best Dice; the middle one where several are as good."""
    chosen = []
    for class_id in range(classes):
        scores = [_dice_of_class(samples, found, class_id, threshold).mean() for threshold in _THRESHOLDS]
        best = np.flatnonzero(np.asarray(scores) >= max(scores) - 1e-4)
        chosen.append(_THRESHOLDS[int(best[len(best) // 2])])
    return chosen


def dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """2 |A and B| / (|A| + |B|), and 1 where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


def box_iou(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of boxes x0 y0 x1 y1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared + 1e-9))


def _class_figures(
    samples: Sequence[Sample], found: Sequence[Detections], class_id: int, threshold: float
) -> ClassFigures:
    dices = _dice_of_class(samples, found, class_id, threshold)
    present = np.array([any(i.class_id == class_id for i in s.instances) for s in samples])
    overlaps = np.concatenate(
        [_best_overlaps(s, d, class_id, threshold) for s, d in zip(samples, found, strict=True)]
    )
    clean = [d for s, d in zip(samples, found, strict=True) if not s.instances]
    alarms = sum(int(_chosen(d, class_id, threshold).sum()) for d in clean)
    return ClassFigures(
        threshold=threshold,
        dice=float(dices.mean()),
        dice_where_present=float(dices[present].mean()) if present.any() else float("nan"),
        recall_iou50=float((overlaps >= _IOU).mean()) if overlaps.size else float("nan"),
        recall_iou30=float((overlaps >= _LOOSE_IOU).mean()) if overlaps.size else float("nan"),
        false_alarms_per_clean_frame=alarms / len(clean) if clean else float("nan"),
        defects=int(overlaps.size),
    )


def _dice_of_class(
    samples: Sequence[Sample], found: Sequence[Detections], class_id: int, threshold: float
) -> npt.NDArray[np.float64]:
    """(frames,) Dice of the union of a class's masks."""
    values = []
    for sample, detections in zip(samples, found, strict=True):
        masks = [
            m
            for m, c in zip(detections.masks or (), _chosen(detections, class_id, threshold), strict=True)
            if c
        ]
        truth = any(i.class_id == class_id for i in sample.instances)
        if not masks or not truth:
            values.append(float(not masks and not truth))
        else:
            values.append(dice(sample.mask_of_class(class_id), _union(masks, sample.image.shape)))
    return np.array(values)


def _union(masks: Sequence[Mask], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    union = np.zeros(shape, np.bool_)
    for mask in masks:
        union[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] |= mask.decode()
    return union


def _chosen(detections: Detections, class_id: int, threshold: float) -> npt.NDArray[np.bool_]:
    return np.asarray((detections.classes == class_id) & (detections.scores > threshold))


def _best_overlaps(
    sample: Sample, detections: Detections, class_id: int, threshold: float
) -> npt.NDArray[np.float64]:
    """For each defect of the class, the largest box IoU with a detection of that class."""
    truth = np.array([i.box_px for i in sample.instances if i.class_id == class_id], np.float64).reshape(
        -1, 4
    )
    boxes = detections.boxes[_chosen(detections, class_id, threshold)].astype(np.float64)
    if not len(truth) or not len(boxes):
        return np.zeros(len(truth))
    return np.asarray(box_iou(truth, boxes).max(axis=1))
