"""Graphs of an evaluation that look at scores: precision and recall, thresholds, calibration."""

import bisect

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from edge.training.evaluation.record import Calibration, ClassFigures, Evaluation
from edge.training.report.style import DASHES, GRID, INK, MARKERS, MUTED, class_colour
from edge.training.report.svg import Chart, drawing, inline_svg
from edge.training.report.text import short

_HALF_PX = 460
_COLUMNS = 4
# More points than a chart has pixels only make the page heavy.
_MOST_POINTS = 300


def score_charts(evaluation: Evaluation) -> list[Chart]:
    """Draw what depends on scores and on the thresholds that are put on them."""
    charts = [_threshold_chart(evaluation), _precision_recall_chart(evaluation)]
    if any(figures.by_threshold.found for figures in evaluation.classes) and evaluation.clean_frames:
        charts.append(_trade_off_chart(evaluation))
    return charts


def calibration_chart(calibration: Calibration) -> Chart:
    """Draw how often detections of a score are right, and how many have it."""
    bins = [b for b in calibration.bins if b.mean_score is not None and b.precision is not None]
    with drawing(_HALF_PX, 400) as figure:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, 1], [0, 1], color=MUTED.light, linestyle=DASHES[1], linewidth=1)
        axes.annotate(
            "as sure as right",
            (0.03, 0.06),
            rotation=45,
            rotation_mode="anchor",
            transform_rotates_text=True,
            color=MUTED.light,
        )
        scores, right = [b.mean_score for b in bins], [b.precision for b in bins]
        axes.plot(scores, right, color=INK.light, marker="o", markersize=5)
        axes.set_ylabel("part that is right")
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(-0.02, 1.02)
        counts.bar(
            [b.low for b in calibration.bins],
            [b.count for b in calibration.bins],
            width=[b.high - b.low for b in calibration.bins],
            align="edge",
            color=GRID.light,
            edgecolor=MUTED.light,
            linewidth=0.6,
        )
        counts.set_ylabel("detections")
        counts.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        counts.set_xlabel("score")
        svg = inline_svg(figure, "calibration", "Part of the detections that are right, by score.")
    error = (
        ""
        if calibration.expected_error is None
        else f"; on average they differ by {calibration.expected_error:.3f}"
    )
    caption = (
        "Above the diagonal the model is more often right (a defect of its class at IoU 0.5) than its score "
        f"says, below it less often{error}."
    )
    return Chart("calibration", "Calibration of scores", caption, svg, half=True)


def _precision_recall_chart(evaluation: Evaluation) -> Chart:
    with drawing(_HALF_PX, 400) as figure:
        axes = figure.subplots()
        for class_id, figures in enumerate(evaluation.classes):
            _draw_precision_recall(axes, class_id, figures)
        axes.set_xlabel("recall: part of the defects that are detected")
        axes.set_ylabel("precision: part of the detections that are right")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.04)
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(figure, "precision-recall", "Precision over recall at IoU 0.5, one curve a class.")
    caption = (
        f"Precision over recall at {evaluation.overlap} IoU 0.5: the further to the upper right, the better; "
        "the marker is the chosen threshold, and the area under a curve is about its AP50."
    )
    return Chart("precision-recall", "Precision and recall", caption, svg, half=True)


def _draw_precision_recall(axes: Axes, class_id: int, figures: ClassFigures) -> None:
    curve = figures.precision_recall
    measured = (figures.mask or figures.box).ap50
    label = f"{short(figures.name)}, AP50 " + ("unknown" if measured is None else f"{measured:.2f}")
    colour, dash = class_colour(class_id).light, DASHES[class_id % len(DASHES)]
    kept = _thinned(len(curve.recall))
    recall, precision = np.asarray(curve.recall), np.asarray(curve.precision)
    # The marker stands in the legend, and on the curve at the threshold alone.
    marker = MARKERS[class_id % len(MARKERS)]
    axes.plot(recall[kept], precision[kept], marker, color=colour, linestyle=dash, markevery=[], label=label)
    # Scores fall along the curve; the threshold's point is the last whose score is above it.
    above = bisect.bisect_left(curve.scores, -figures.threshold, key=lambda score: -score)
    if above:
        axes.plot(
            recall[above - 1],
            precision[above - 1],
            marker,
            color=colour,
            markersize=8,
        )


def _thinned(count: int) -> np.ndarray:
    """Indices of at most as many points as are worth drawing, both ends among them."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int)) if count else np.arange(0)
    )


def _threshold_chart(evaluation: Evaluation) -> Chart:
    columns = min(_COLUMNS, len(evaluation.classes))
    rows = -(-len(evaluation.classes) // columns)
    with drawing(940, 40 + 215 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey="row")
        for panel in grid.flat[len(evaluation.classes) :]:
            panel.set_visible(False)
        for class_id, (figures, axes) in enumerate(zip(evaluation.classes, grid.flat, strict=False)):
            _draw_threshold(axes, class_id, figures)
        for row in grid:
            row[0].set_ylabel("Dice")
        svg = inline_svg(figure, "dice-threshold", "Dice of each class by score threshold.")
    caption = (
        "Dice of each class by score threshold: the marker is the chosen threshold, the dashed line the Dice "
        "of finding nothing, and a curve without a flat top asks for a threshold chosen with care."
    )
    return Chart("dice-threshold", "Dice by class and threshold", caption, svg)


def _draw_threshold(axes: Axes, class_id: int, figures: ClassFigures) -> None:
    colour = class_colour(class_id).light
    curve = figures.by_threshold
    axes.set_title(short(figures.name))
    axes.plot(curve.thresholds, curve.dice, color=colour)
    axes.axhline(figures.dice_of_nothing, color=MUTED.light, linestyle=(0, (4, 3)), linewidth=1)
    axes.axvline(figures.threshold, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(figures.threshold, figures.dice, MARKERS[class_id % len(MARKERS)], color=colour, markersize=8)
    left = figures.threshold > 0.6  # noqa: PLR2004 - where a label to the right would leave the panel
    axes.annotate(
        f"{figures.dice:.3f} at {figures.threshold:.2f}",
        (figures.threshold, figures.dice),
        xytext=(-9 if left else 9, 8),
        textcoords="offset points",
        ha="right" if left else "left",
        color=colour,
        weight="bold",
    )
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.margins(y=0.16)
    axes.set_xlabel("score threshold")


def _trade_off_chart(evaluation: Evaluation) -> Chart:
    with drawing(_HALF_PX, 400) as figure:
        axes = figure.subplots()
        for class_id, figures in enumerate(evaluation.classes):
            _draw_trade_off(axes, class_id, figures)
        axes.set_xlabel("false alarms per clean frame")
        axes.set_ylabel("defects found")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlim(left=0)
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(
            figure, "trade-off", "Part of the defects found over false alarms, one curve a class."
        )
    caption = (
        f"What a lower threshold buys and costs: defects found ({evaluation.overlap} IoU 0.3) over false "
        "alarms of the class on each clean frame; the marker is the chosen threshold."
    )
    return Chart("trade-off", "Found and false alarms", caption, svg, half=True)


def _draw_trade_off(axes: Axes, class_id: int, figures: ClassFigures) -> None:
    curve, mill = figures.by_threshold, figures.mill
    if curve.found is None or curve.false_alarms_per_clean_frame is None:
        return
    colour, dash = class_colour(class_id).light, DASHES[class_id % len(DASHES)]
    alarms = curve.false_alarms_per_clean_frame
    marker = MARKERS[class_id % len(MARKERS)]
    axes.plot(
        alarms, curve.found, marker, color=colour, linestyle=dash, markevery=[], label=short(figures.name)
    )
    if mill.defects and mill.false_alarms_per_clean_frame is not None:
        axes.plot(
            mill.false_alarms_per_clean_frame,
            mill.found / mill.defects,
            marker,
            color=colour,
            markersize=8,
            clip_on=False,
            zorder=4,
        )
