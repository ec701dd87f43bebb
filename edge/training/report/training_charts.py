"""Graphs of a run: losses, learning rate, and validation Dice beside the Dice of finding nothing."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from edge.training.report.style import DASHES, INK, MARKERS, MUTED, class_colour
from edge.training.report.svg import Chart, drawing, inline_svg
from edge.training.report.text import short
from edge.training.report.training_log import Points, TrainingLog, Validation

_SUM = "loss"
# The curve is the mean over a fiftieth of the run on either side: single batches differ too much to be read.
_SMOOTHED_PART = 50
# More points than a chart has pixels only make the page heavy.
_MOST_POINTS = 600
_LOSS_LABELS = {
    "loss": "sum",
    "loss_rpn_cls": "RPN, class",
    "loss_rpn_loc": "RPN, box",
    "loss_cls": "head, class",
    "loss_box_reg": "head, box",
    "loss_mask": "mask",
}


def training_charts(log: TrainingLog) -> list[Chart]:
    """Draw what the log holds; a chart without points is left out."""
    charts = []
    if log.validations:
        charts.append(_dice_chart(log))
    if log.losses:
        charts.append(_loss_chart(log))
    if log.learning_rate[0]:
        charts.append(_learning_rate_chart(log.learning_rate))
    return charts


def smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Mean over up to ``reach`` neighbours on either side; fewer at the ends. (N,) to (N,)."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    low = np.maximum(np.arange(len(values)) - reach, 0)
    high = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _dice_chart(log: TrainingLog) -> Chart:
    with drawing(940, 320) as figure:
        axes = figure.subplots()
        for index, validation in enumerate(log.validations):
            _draw_validation(axes, validation, index)
        axes.set_ylabel("mean Dice over frames and classes")
        axes.set_xlim(0, log.iterations * 1.01)
        _label_iterations(axes)
        axes.margins(y=0.1)
        figure.legend(loc="outside upper left", ncols=4)
        alt = "Validation Dice by iteration, and the Dice of finding nothing as a level line."
        svg = inline_svg(figure, "training-dice", alt)
    return Chart("training-dice", "Validation Dice", _dice_caption(log.validations), svg)


def _draw_validation(axes: Axes, validation: Validation, index: int) -> None:
    colour = class_colour(index).light
    frames = "" if validation.frames is None else f", {validation.frames} frames"
    axes.plot(
        validation.iterations,
        validation.dice,
        color=colour,
        marker=MARKERS[index % len(MARKERS)],
        markersize=4,
        label=f"{short(validation.name)}{frames}",
    )
    if validation.dice_of_nothing is not None:
        axes.axhline(validation.dice_of_nothing, color=colour, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            f"nothing {validation.dice_of_nothing:.3f}",
            (1, validation.dice_of_nothing),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    best = validation.best
    axes.plot(validation.iterations[best], validation.dice[best], "o", ms=10, mfc="none", mec=colour, mew=1.4)
    axes.annotate(
        f"{validation.dice[best]:.3f}",
        (validation.iterations[best], validation.dice[best]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        color=colour,
        weight="bold",
    )


def _dice_caption(validations: tuple[Validation, ...]) -> str:
    parts = [
        f"{v.dice[v.best]:.3f} on {v.name} at iteration {v.iterations[v.best]:,}"
        + ("" if v.dice_of_nothing is None else f" (finding nothing: {v.dice_of_nothing:.3f})")
        for v in validations
    ]
    use = "a model is of use as far as its curve lies above the dashed line"
    return f"The best Dice is {'; '.join(parts)}; {use}."


def _loss_chart(log: TrainingLog) -> Chart:
    # A loss has the same colour on every report, in whatever order the run told of it.
    order = [*_LOSS_LABELS, *sorted(log.losses.keys() - _LOSS_LABELS.keys())]
    parts = {name: log.losses[name] for name in order if name in log.losses and name != _SUM}
    with drawing(940, 320) as figure:
        both = figure.subplots(1, 2, width_ratios=(2, 3))
        if _SUM in log.losses:
            _draw_smoothed(both[0], log.losses[_SUM], INK.light, DASHES[0], _SUM, raw=True)
        for index, (name, points) in enumerate(parts.items()):
            _draw_smoothed(both[1], points, class_colour(index).light, DASHES[index % len(DASHES)], name)
        for axes, title in zip(both, ("Sum", "Parts"), strict=True):
            axes.set_title(title)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_xlim(0, log.iterations)
            _label_iterations(axes)
        both[0].set_ylabel("loss, log scale")
        if parts:
            both[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        svg = inline_svg(figure, "training-loss", "Training losses by iteration on a logarithmic scale.")
    return Chart(
        "training-loss",
        "Losses",
        "The training losses are to fall and then to level off; lines are running means, "
        "and the grey one behind the sum shows the single logged values.",
        svg,
    )


def _draw_smoothed(
    axes: Axes, points: Points, colour: str, dash: object, name: str, *, raw: bool = False
) -> None:
    iterations, values = np.array(points[0]), np.array(points[1])
    every = max(1, len(values) // _MOST_POINTS)
    if raw:
        axes.plot(iterations[::every], values[::every], color=MUTED.light, linewidth=0.7, alpha=0.45)
    curve = smooth(values, len(values) // _SMOOTHED_PART)
    label = _LOSS_LABELS.get(name, short(name.removeprefix("loss_")))
    axes.plot(iterations[::every], curve[::every], color=colour, linestyle=dash, label=label)


def _learning_rate_chart(points: Points) -> Chart:
    every = max(1, len(points[0]) // _MOST_POINTS)
    with drawing(940, 200) as figure:
        axes = figure.subplots()
        axes.plot(points[0][::every], points[1][::every], color=INK.light)
        axes.set_ylabel("learning rate")
        axes.set_ylim(0, max(points[1]) * 1.08)
        axes.set_xlim(0, points[0][-1] * 1.01)
        _label_iterations(axes)
        svg = inline_svg(figure, "training-lr", "Learning rate by iteration.")
    highest, last = max(points[1]), points[1][-1]
    caption = (
        f"The learning rate is {highest:.3g} at its highest and {last:.3g} at the last logged iteration."
    )
    return Chart("training-lr", "Learning rate", caption, svg)


def _label_iterations(axes: Axes) -> None:
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
