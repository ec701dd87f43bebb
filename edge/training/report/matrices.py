"""Counts of pairs as coloured squares: what was taken for what, and which classes come together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from edge.training.evaluation.record import Confusion
from edge.training.report.style import ACCENT, GRID, INK, SURFACE
from edge.training.report.svg import Chart, drawing, inline_svg
from edge.training.report.text import short

_HALF_PX = 460
# Darker squares have light numbers.
_DARK = 0.5
# Characters that stand side by side above a matrix; more are written aslant.
_ROOM_ABOVE = 48
# Of the strongest colour, so that the numbers on it stay readable.
_OPACITY = 0.9


def confusion_chart(confusion: Confusion) -> Chart:
    """Draw truth by prediction; each row is coloured by its share."""
    counts, names = np.asarray(confusion.counts), [short(name) for name in confusion.names]
    with drawing(_HALF_PX, 400) as figure:
        axes = figure.subplots()
        draw_matrix(axes, counts, _shares(counts), rows=names, columns=names)
        axes.set_ylabel("truth")
        axes.set_xlabel("taken for")
        svg = inline_svg(figure, "confusion", "Table of true classes by predicted classes, with counts.")
    caption = (
        "Rows are what is on the strip, columns what the model took it for: right ones lie on the diagonal, "
        "the last column counts missed defects and the last row false alarms; a square is the darker, the "
        "larger its part of the row."
    )
    return Chart("confusion", "Confusion matrix", caption, svg, half=True)


def draw_matrix(
    axes: Axes, counts: np.ndarray, shares: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Draw (R, C) counts on squares whose darkness is their (R, C) share, 0 to 1; the first row on top."""
    for row, column in np.ndindex(*counts.shape):
        share = float(shares[row, column])
        place = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(place, 1, 1, facecolor="none", edgecolor=GRID.light, linewidth=0.8))
        if share:
            axes.add_patch(
                Rectangle(place, 1, 1, facecolor=ACCENT.light, alpha=share * _OPACITY, linewidth=0)
            )
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            color=SURFACE.light if share > _DARK else INK.light,
            fontsize=11.5 if counts[row, column] else 10,
            alpha=1 if counts[row, column] else 0.45,
        )
    axes.set_xlim(-0.5, counts.shape[1] - 0.5)
    axes.set_ylim(counts.shape[0] - 0.5, -0.5)
    _name_columns(axes, columns)
    axes.set_yticks(range(counts.shape[0]), rows)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _name_columns(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    if len(names) * max(len(name) for name in names) > _ROOM_ABOVE:
        axes.tick_params(axis="x", labelrotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="left", rotation_mode="anchor")


def _shares(counts: np.ndarray) -> np.ndarray:
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
