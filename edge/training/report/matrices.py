"""Counts of pairs as coloured squares: what was taken for what, and which classes come together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from edge.training.evaluation.record import Confusion
from edge.training.report.style import ACCENT, GRID, INK, SURFACE
from edge.training.report.svg import Chart, drawing, inline_svg

_HALF_PX = 460
_DARK = 0.5
# Of the strongest colour, so that the numbers on it stay readable.
_OPACITY = 0.9


def confusion_chart(confusion: Confusion) -> Chart:
    """Draw truth by prediction; each row is coloured by its share."""
    counts = np.asarray(confusion.counts)
    with drawing(_HALF_PX, 400) as figure:
        axes = figure.subplots()
        draw_matrix(axes, counts, _shares(counts), rows=confusion.names, columns=confusion.names)
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
    axes.set_xticks(range(counts.shape[1]), columns, rotation=0 if counts.shape[1] < 6 else 40)  # noqa: PLR2004
    axes.set_yticks(range(counts.shape[0]), rows)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _shares(counts: np.ndarray) -> np.ndarray:
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
