"""An evaluation's folder as tables, charts and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from edge.errors import DatasetError
from edge.training.dataset import Dataset
from edge.training.evaluation.record import (
    DETECTIONS_FILE,
    EVALUATION_FILE,
    AveragePrecision,
    Evaluation,
    Folds,
    MillFigures,
    Spread,
    StoredDetection,
    read_detections,
    read_evaluation,
)
from edge.training.report.content import EvaluationPart, Facts, Row, Table
from edge.training.report.evaluation_charts import calibration_chart, score_charts
from edge.training.report.examples import best_and_worst
from edge.training.report.matrices import confusion_chart
from edge.training.report.text import UNKNOWN, number, percent


@dataclass(frozen=True, slots=True)
class EvaluationFolder:
    """``evaluation.json`` and ``detections.json``."""

    evaluation: Evaluation
    detections: list[StoredDetection]

    @classmethod
    def read(cls, folder: Path, class_names: Sequence[str]) -> Self:
        """Read both files, which are to be about the classes of the data set.

        Raises:
            DatasetError: one is missing, is not what its name says, or is about other classes.
        """
        file = folder / EVALUATION_FILE
        try:
            evaluation = read_evaluation(folder)
            file = folder / DETECTIONS_FILE
            detections = read_detections(file)
        except OSError as error:
            raise DatasetError(f"{file}: cannot be read: {error.strerror or error}") from error
        except msgspec.DecodeError as error:
            raise DatasetError(f"{file}: {error}") from error
        if evaluation.class_names != list(class_names):
            raise DatasetError(
                f"{folder}: is about the classes {', '.join(evaluation.class_names)}; "
                f"the data set's are {', '.join(class_names)}"
            )
        if any(not 0 < d.category_id <= len(class_names) for d in detections):
            raise DatasetError(f"{file}: names a category beyond the {len(class_names)} of the data set")
        return cls(evaluation, detections)


def evaluation_part(folder: EvaluationFolder, dataset: Dataset) -> EvaluationPart:
    """Draw an evaluation; its best and worst frames are looked for in the data set, whose classes it has."""
    evaluation = folder.evaluation
    best, worst = best_and_worst(dataset, evaluation, folder.detections)
    folds = [] if evaluation.folds is None else [_fold_table(evaluation.folds)]
    return EvaluationPart(
        facts=_facts(evaluation),
        tables=[_class_table(evaluation), *folds],
        charts=[
            *score_charts(evaluation),
            confusion_chart(evaluation.confusion),
            calibration_chart(evaluation.total.calibration),
        ],
        best=best,
        worst=worst,
    )


def _facts(evaluation: Evaluation) -> Facts:
    total, tuned = evaluation.total, evaluation.cross_tuned
    facts = [
        ("frames", f"{evaluation.frames:,} of {evaluation.data}, {evaluation.clean_frames:,} of them clean"),
        ("strip", f"{evaluation.length_m:,.1f} m at {evaluation.pitch_y_mm:g} mm a row"),
        ("missed per 100 m", number(total.mill.missed_per_100m, 1)),
        ("false alarms per 100 m", number(total.mill.false_alarms_per_100m, 1)),
    ]
    if tuned is not None:
        figures = (
            f"Dice {number(tuned.dice)}, {percent(tuned.found)} found, "
            f"{number(tuned.false_alarms_per_clean_frame, 2)} false alarms per clean frame "
            f"(each of {tuned.parts} parts judged at thresholds tuned for {tuned.target} on the others)"
        )
        facts.append(("cross-tuned", figures))
    return facts


_COLUMNS = (
    "class",
    "score above",
    "defects",
    "found",
    "missed",
    "false alarms",
    "... per clean frame",
    "Dice",
    "Dice of nothing",
    "Dice where present",
    "AP50 box",
    "AP50 mask",
)


def _class_table(evaluation: Evaluation) -> Table:
    total = evaluation.total
    rows = [
        Row(
            figures.name,
            [
                f"{figures.threshold:.2f}",
                *_mill_cells(figures.mill),
                *_dice_cells(figures.dice, figures.dice_of_nothing, figures.dice_where_present),
                *_precision_cells(figures.box, figures.mask),
            ],
            class_id=class_id,
        )
        for class_id, figures in enumerate(evaluation.classes)
    ]
    cells = [
        "",
        *_mill_cells(total.mill),
        *_dice_cells(total.dice, total.dice_of_nothing, total.dice_where_present),
        *_precision_cells(total.box, total.mask),
    ]
    caption = (
        "Figures at the thresholds of the first column. A defect is found when a detection of its class "
        f"meets it with {evaluation.overlap} IoU 0.3; Dice is Kaggle's, 1 on frames that neither show the "
        "class nor are said to."
    )
    return Table(caption, _COLUMNS, [*rows, Row("all", cells, is_total=True)])


def _mill_cells(mill: MillFigures) -> list[str]:
    found = percent(mill.found / mill.defects if mill.defects else None)
    counts = [f"{mill.defects:,}", found, f"{mill.missed:,}", f"{mill.false_alarms:,}"]
    return [*counts, number(mill.false_alarms_per_clean_frame, 2)]


def _dice_cells(*dice: float | None) -> list[str]:
    return [number(value) for value in dice]


def _precision_cells(box: AveragePrecision, mask: AveragePrecision | None) -> list[str]:
    return [number(box.ap50, 2), number(None if mask is None else mask.ap50, 2)]


def _fold_table(folds: Folds) -> Table:
    rows = [
        Row(
            fold.name,
            [
                f"{fold.frames:,}",
                *_dice_cells(fold.dice, fold.dice_of_nothing),
                percent(fold.found),
                number(fold.false_alarms_per_clean_frame, 2),
            ],
        )
        for fold in folds.folds
    ]
    spread = [
        _spread(folds.dice, ".3f"),
        "",
        _spread(folds.found, ".0%").replace("%", " %"),
        _spread(folds.false_alarms_per_clean_frame, ".2f"),
    ]
    return Table(
        "How the figures differ from fold to fold; the last line is mean ± standard deviation.",
        ("fold", "frames", "Dice", "Dice of nothing", "found", "false alarms per clean frame"),
        [*rows, Row("spread", ["", *spread], is_total=True)],
    )


def _spread(spread: Spread | None, style: str) -> str:
    return UNKNOWN if spread is None else f"{spread.mean:{style}} ± {spread.standard_deviation:{style}}"
