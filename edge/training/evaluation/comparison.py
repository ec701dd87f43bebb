"""Detections held against the truth of their frame: every overlap, before any threshold is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.evaluation.dice import DiceProfile
from edge.training.evaluation.record import Overlap
from edge.training.evaluation.regions import (
    RunLengths,
    box_iou,
    mask_iou,
    mask_of_box,
    whole_frame_runs,
)
from edge.training.evaluation.truth import Truth
from edge.vision.detections import Detections

FOUND_IOU = 0.3
STRICT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Comparison:
    """One frame. D defects, N detections, best first.

    ``iou``: (D, N) of masks, or of boxes where truth or detections have no masks; ``defect_classes``: (D,);
    ``dice``: one profile for each class; ``truth_runs`` and ``found_runs``: the regions, empty when boxes are
    compared.
    """

    truth: Truth
    found: Detections
    defect_classes: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]
    dice: tuple[DiceProfile, ...]
    truth_runs: tuple[RunLengths, ...]
    found_runs: tuple[RunLengths, ...]

    @property
    def clean(self) -> bool:
        """Whether the frame shows no defect of any class."""
        return self.truth.clean


def overlap_of(found: Sequence[Detections], *, has_masks: bool) -> Overlap:
    """Masks are compared if truth and all detections have them."""
    return "mask" if has_masks and all(d.masks is not None for d in found) else "box"


def compare(truth: Truth, found: Detections, *, classes: int, overlap: Overlap) -> Comparison:
    """Compare one frame's detections with its defects.

    For Dice a detection without a mask fills its box.
    """
    defect_classes = np.array([i.class_id for i in truth.instances], np.int64)
    masks = _masks(truth, found, overlap)
    truth_runs: tuple[RunLengths, ...] = ()
    found_runs: tuple[RunLengths, ...] = ()
    if overlap == "mask":
        size = truth.height_px, truth.width_px
        truth_runs = tuple(whole_frame_runs(i.mask, *size) for i in truth.instances)
        found_runs = tuple(whole_frame_runs(mask, *size) for mask in masks)
        iou = mask_iou(truth_runs, found_runs)
    else:
        boxes = np.array([i.box_px for i in truth.instances], np.float64).reshape(-1, 4)
        iou = box_iou(boxes, found.boxes.astype(np.float64))
    return Comparison(
        truth=truth,
        found=found,
        defect_classes=defect_classes,
        iou=iou,
        dice=tuple(_profile(truth, found, masks, class_id) for class_id in range(classes)),
        truth_runs=truth_runs,
        found_runs=found_runs,
    )


def compare_all(
    truths: Sequence[Truth], found: Sequence[Detections], *, classes: int, has_masks: bool
) -> list[Comparison]:
    """Compare frame by frame; all on masks, or all on boxes."""
    overlap = overlap_of(found, has_masks=has_masks)
    return [
        compare(truth, detections, classes=classes, overlap=overlap)
        for truth, detections in zip(truths, found, strict=True)
    ]


def _masks(truth: Truth, found: Detections, overlap: Overlap) -> Sequence[Mask]:
    if overlap == "mask" and found.masks is not None:
        return found.masks
    return [mask_of_box(box, truth.height_px, truth.width_px) for box in found.boxes]


def _profile(truth: Truth, found: Detections, masks: Sequence[Mask], class_id: int) -> DiceProfile:
    chosen = found.classes == class_id
    return DiceProfile.of(
        [i.mask for i in truth.instances if i.class_id == class_id],
        list(compress(masks, chosen)),
        found.scores[chosen],
    )
