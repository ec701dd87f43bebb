"""Colours and type of the report: each colour has a name that CSS knows, for paper and for dark screens.

Charts are drawn with the values for paper; ``edge.training.report.svg`` then puts the names in their place,
so that the reader's browser chooses.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Colour:
    """A CSS custom property ``--name`` and its ``#rrggbb`` on light and on dark pages."""

    name: str
    light: str
    dark: str


INK = Colour("ink", "#1c2329", "#e6e9eb")
MUTED = Colour("muted", "#5b666f", "#a3adb5")
GRID = Colour("grid", "#dde2e6", "#343c43")
SURFACE = Colour("surface", "#fdfdfc", "#14181b")
TILE = Colour("tile", "#f3f5f6", "#1d2327")
ACCENT = Colour("accent", "#29465b", "#9fc3dd")

# The hues of M. Okabe and K. Ito, "Color Universal Design" (2008), in the order of the operator's pictures.
# Those that were made for dark steel are darkened for paper, to 3:1 in contrast and more (WCAG 2.2, 1.4.11).
CLASS_COLOURS = (
    Colour("class-0", "#2384c4", "#56b4e9"),  # sky blue
    Colour("class-1", "#d05a02", "#ec7a2c"),  # vermilion
    Colour("class-2", "#a08c00", "#f0e442"),  # yellow
    Colour("class-3", "#b4558a", "#dd8fbb"),  # reddish purple
    Colour("class-4", "#00855f", "#19b48a"),  # bluish green
    Colour("class-5", "#b87700", "#e69f00"),  # orange
    Colour("class-6", "#0a5f94", "#3f93cf"),  # blue
)
COLOURS = (INK, MUTED, GRID, SURFACE, TILE, ACCENT, *CLASS_COLOURS)

# A second sign for each class, for who cannot go by colour.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (8, 2)),
    (0, (3, 3)),
    (0, (2, 1, 1, 1)),
)

# Units are CSS pixels: a chart of 1 inch at 72 dots an inch is 72 px wide.
CHART_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of classes may hold dollars
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "text.color": INK.light,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED.light,
    "axes.labelcolor": MUTED.light,
    "axes.labelsize": 11.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK.light,
    "axes.titlepad": 8,
    "grid.color": GRID.light,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def class_colour(class_id: int) -> Colour:
    """The colour of a class, the same on every chart and picture; beyond seven they repeat."""
    return CLASS_COLOURS[class_id % len(CLASS_COLOURS)]
