"""The few figures at the top of the page: of the evaluation if there is one, else of run and data."""

from collections.abc import Sequence

from edge.training.data.statistics import DatasetStatistics
from edge.training.evaluation.record import Evaluation
from edge.training.report.content import KeyFigure
from edge.training.report.text import number, percent
from edge.training.report.training_log import TrainingLog


def choose(
    statistics: DatasetStatistics, log: TrainingLog | None, evaluation: Evaluation | None
) -> Sequence[KeyFigure]:
    """Choose what the reader wants to know first."""
    if evaluation is not None:
        return _of_evaluation(evaluation)
    return _of_data(statistics) if log is None else [*_of_run(log), *_of_data(statistics)[:2]]


def _of_evaluation(evaluation: Evaluation) -> list[KeyFigure]:
    total = evaluation.total
    mill = total.mill
    precision = total.mask or total.box
    found = mill.found / mill.defects if mill.defects else None
    alarms = mill.false_alarms_per_clean_frame
    overlap = "mask" if total.mask else "box"
    return [
        KeyFigure("Dice", number(total.dice), f"finding nothing scores {number(total.dice_of_nothing)}"),
        KeyFigure("Defects found", percent(found), f"{mill.found:,} of {mill.defects:,}, at IoU 0.3"),
        KeyFigure(
            "False alarms", number(alarms, 2), f"per clean frame, on {evaluation.clean_frames:,} of them"
        ),
        KeyFigure(f"AP50, {overlap}", number(precision.ap50, 2), "mean over the classes"),
        KeyFigure("Frames judged", f"{evaluation.frames:,}", f"{evaluation.length_m:,.1f} m of strip"),
    ]


def _of_run(log: TrainingLog) -> list[KeyFigure]:
    trained = KeyFigure("Iterations", f"{log.iterations:,}", "trained so far")
    return [
        trained,
        *(
            KeyFigure(
                f"Best Dice, {v.name}",
                number(v.dice[v.best]),
                "" if v.dice_of_nothing is None else f"finding nothing scores {number(v.dice_of_nothing)}",
            )
            for v in log.validations
        ),
    ]


def _of_data(statistics: DatasetStatistics) -> list[KeyFigure]:
    clean = statistics.clean_frames / max(1, statistics.frames)
    return [
        KeyFigure("Frames", f"{statistics.frames:,}", f"{percent(clean)} of them clean"),
        KeyFigure("Defects", f"{statistics.defects:,}", f"of {len(statistics.classes)} classes"),
        KeyFigure("Defective pixels", percent(statistics.defect_part), "of all pixels"),
    ]
