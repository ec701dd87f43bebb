"""``evaluation.json``: everything that an evaluation found out, as the report draws it.

What cannot be told is None: the Dice on frames that show a class where no frame does, or AP without defects.
Lists of classes are in the order of ``class_names``.
"""

from pathlib import Path
from typing import Literal

import msgspec

EVALUATION_FILE = "evaluation.json"
DETECTIONS_FILE = "detections.json"

Overlap = Literal["mask", "box"]


class AveragePrecision(msgspec.Struct, frozen=True, kw_only=True):
    """COCO's AP over at most 100 detections a frame, 0 to 1 (T.-Y. Lin et al., "Microsoft COCO", 2014)."""

    ap50: float | None
    """At IoU 0.5."""
    ap: float | None
    """Mean over IoU 0.50, 0.55, ..., 0.95."""


class PrecisionRecall(msgspec.Struct, frozen=True, kw_only=True):
    """COCO's precision/recall curve at IoU 0.5, up to the recall that is reached.

    Precision is the highest at this or any larger recall; ``scores`` are those at which the points lie.
    """

    recall: list[float]
    precision: list[float]
    scores: list[float]


class ByThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """What a class's figures would be at other score thresholds; all lists are as long as ``thresholds``."""

    thresholds: list[float]
    dice: list[float]
    found: list[float] | None
    """Part of the defects; None without defects."""
    false_alarms_per_clean_frame: list[float] | None
    """None without clean frames."""


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Detections whose scores lie in (``low``, ``high``]."""

    low: float
    high: float
    count: int
    mean_score: float | None
    precision: float | None
    """Part of them that meet a defect of their class that is not taken yet, at IoU 0.5."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Whether of detections with score 0.7 seven in ten are right."""

    bins: list[CalibrationBin]
    expected_error: float | None
    """sum of count / all x |precision - mean score| over the bins: the expected calibration error.

    C. Guo et al., "On Calibration of Modern Neural Networks" (2017), equation 5.
    """


class MillFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a mill asks, at the thresholds of the evaluation."""

    defects: int
    found: int
    """Defects that a detection of their class meets with IoU 0.3."""
    found_at_iou50: int
    missed: int
    """Defects that are not found."""
    detections: int
    false_alarms: int
    """Detections that meet no defect of their class with IoU 0.3, on all frames."""
    false_alarms_on_clean_frames: int
    false_alarms_per_clean_frame: float | None
    missed_per_100m: float | None
    false_alarms_per_100m: float | None


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one class."""

    name: str
    threshold: float
    """Detections count whose score is larger."""
    frames: int
    """Frames that show the class."""
    dice: float
    """Mean over frames, 1 where truth and prediction are both empty."""
    dice_where_present: float | None
    """Mean over the frames that show the class."""
    dice_of_nothing: float
    """What finding nothing gets."""
    mill: MillFigures
    box: AveragePrecision
    mask: AveragePrecision | None
    """None where data or model have no masks."""
    precision_recall: PrecisionRecall
    by_threshold: ByThreshold
    calibration: Calibration


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over all classes."""

    dice: float
    """Kaggle's: mean over all pairs of frame and class."""
    dice_where_present: float | None
    """Mean over the pairs whose frame shows the class."""
    dice_of_nothing: float
    mill: MillFigures
    box: AveragePrecision
    """Means over the classes that have defects."""
    mask: AveragePrecision | None
    calibration: Calibration


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Defects by what they were taken for, at the thresholds of the evaluation.

    ``counts[truth][prediction]``; the last row and column are "nothing": the last column counts missed
    defects, the last row detections where there is no defect. A detection and a defect belong together when
    their IoU is 0.3 or more, whatever their classes; detections choose by descending score, each defect is
    taken once.
    """

    names: list[str]
    counts: list[list[int]]


class FrameFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One frame, at the thresholds of the evaluation."""

    file_name: str
    dice: float
    """Mean over the classes."""
    dice_by_class: list[float]
    dice_of_nothing: float
    """Part of the classes that the frame does not show."""
    defects: int
    found: int
    false_alarms: int


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One of several files of detections that were evaluated together."""

    name: str
    frames: int
    dice: float
    dice_of_nothing: float
    found: float | None
    """Part of the defects."""
    false_alarms_per_clean_frame: float | None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean over folds and sample standard deviation."""

    mean: float
    standard_deviation: float


class Folds(msgspec.Struct, frozen=True, kw_only=True):
    """How the figures differ from fold to fold; at least two folds."""

    folds: list[Fold]
    dice: Spread
    found: Spread | None
    false_alarms_per_clean_frame: Spread | None


class CrossTuned(msgspec.Struct, frozen=True, kw_only=True):
    """Figures where the thresholds of each part of the frames are those that suit the other parts.

    Thresholds that are tuned on the frames they are judged on flatter a model; these do not.
    """

    target: str
    """What the thresholds were tuned for."""
    parts: int
    dice: float
    found: float | None
    false_alarms_per_clean_frame: float | None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model's figures on a set of frames."""

    model_name: str
    model_version: str
    data: str
    """The data set's name."""
    class_names: list[str]
    frames: int
    clean_frames: int
    pitch_y_mm: float
    """mm of strip a pixel row, along the strip; what lengths are told from."""
    length_m: float
    """Strip that the frames cover."""
    overlap: Overlap
    """What IoU of defects and detections is measured on."""
    lowest_score: float | None
    """Detections below were not asked for."""
    thresholds_from: str
    """Where the thresholds come from: the model, or what they were tuned for."""
    frames_per_second: float | None
    """Of inference, frame by frame; None for stored detections."""
    total: Total
    classes: list[ClassFigures]
    confusion: Confusion
    by_frame: list[FrameFigures]
    cross_tuned: CrossTuned | None
    """None with fewer than two frames."""
    folds: Folds | None
    """None unless several files of detections were evaluated together."""


class RunLength(msgspec.Struct, frozen=True, kw_only=True):
    """COCO's compressed run lengths of a whole frame: what pycocotools reads and writes."""

    size: tuple[int, int]
    """Height, width px."""
    counts: str


class StoredDetection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of ``detections.json``: COCO's format of results, and the frame's file name.

    Those of a frame stand together, best first.
    """

    image_id: int
    """From 1, in the data set's order; COCO's own ids are not kept."""
    file_name: str
    category_id: int
    """From 1, in the order of the data set's classes."""
    bbox: tuple[float, float, float, float]
    """x, y, width, height px."""
    score: float
    segmentation: RunLength | None = None


def read_evaluation(folder: Path) -> Evaluation:
    """Read ``evaluation.json`` of an evaluation's folder.

    Raises:
        OSError: there is none.
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode((folder / EVALUATION_FILE).read_bytes(), type=Evaluation)


def read_detections(file: Path) -> list[StoredDetection]:
    """Read a file of detections.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: it is no file of detections.
    """
    return msgspec.json.decode(file.read_bytes(), type=list[StoredDetection])
