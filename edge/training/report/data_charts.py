"""Graphs of a labelled set: how often each class is there, how large, where, and how it stands out."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from edge.training.data.grey import GreyStatistics
from edge.training.data.percentiles import Percentiles
from edge.training.data.statistics import ClassStatistics, DatasetStatistics
from edge.training.report.matrices import draw_matrix
from edge.training.report.style import ACCENT, MUTED, SURFACE, class_colour
from edge.training.report.svg import Chart, drawing, inline_svg
from edge.training.report.text import percent, short

_WIDE_PX, _HALF_PX = 940, 460
_MOST_COMBINATIONS = 10
_ROW_PX = 30


def data_charts(statistics: DatasetStatistics) -> list[Chart]:
    """Draw what the statistics tell; what the set does not have is left out."""
    charts = [_frequency_chart(statistics), _co_occurrence_chart(statistics), _combination_chart(statistics)]
    if statistics.defects:
        charts += [_size_chart(statistics), _position_chart(statistics)]
    if statistics.grey is not None:
        charts.append(_grey_chart(statistics.grey))
    if any(figures.contrast for figures in statistics.classes):
        charts.append(_contrast_chart(statistics.classes))
    return charts


def _frequency_chart(statistics: DatasetStatistics) -> Chart:
    names = [*(short(figures.name) for figures in statistics.classes), "clean"]
    colours = [*(class_colour(c).light for c in range(len(statistics.classes))), MUTED.light]
    frames = [*(figures.frames for figures in statistics.classes), statistics.clean_frames]
    with drawing(_WIDE_PX, 70 + _ROW_PX * len(names)) as figure:
        of_frames, of_defects = figure.subplots(1, 2, sharey=True)
        _draw_bars(of_frames, frames, colours, lambda n: f"{n:,} · {percent(n / max(1, statistics.frames))}")
        of_frames.set_yticks(range(len(names)), names)
        of_frames.set_xlabel("frames")
        _draw_bars(
            of_defects, [figures.defects for figures in statistics.classes], colours, lambda n: f"{n:,}"
        )
        of_defects.set_xlabel("defects")
        of_frames.invert_yaxis()
        svg = inline_svg(figure, "frequency", "Frames and defects of each class, as bars.")
    most = max(statistics.classes, key=lambda figures: figures.frames)
    least = min(statistics.classes, key=lambda figures: figures.frames)
    most_part, least_part = (percent(c.frames / max(1, statistics.frames)) for c in (most, least))
    caption = (
        f"{most.name} is on {most_part} of the frames"
        + ("" if most is least else f" and {least.name} on {least_part}")
        + "; a frame with several classes counts for each."
    )
    return Chart("frequency", "Class frequency", caption, svg)


def _draw_bars(
    axes: Axes, counts: Sequence[int], colours: Sequence[str], label: Callable[[int], str]
) -> None:
    for row, (count, colour) in enumerate(zip(counts, colours, strict=False)):
        axes.barh(row, count, height=0.62, color=colour)
        axes.annotate(label(count), (count, row), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, max(1, *counts) * 1.22)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _co_occurrence_chart(statistics: DatasetStatistics) -> Chart:
    counts = np.asarray(statistics.co_occurrence)
    own = np.maximum(counts.diagonal(), 1)[:, None]
    names = [short(figures.name) for figures in statistics.classes]
    with drawing(_HALF_PX, 380) as figure:
        axes = figure.subplots()
        draw_matrix(axes, counts, counts / own, rows=names, columns=names)
        axes.set_ylabel("frames that show")
        axes.set_xlabel("and also")
        svg = inline_svg(figure, "co-occurrence", "Table of how many frames show both of two classes.")
    caption = (
        "Frames that show both classes, and on the diagonal those that show the class at all; a square is "
        "the darker, the larger its part of the row's class."
    )
    return Chart("co-occurrence", "Co-occurrence of classes", caption, svg, half=True)


def _combination_chart(statistics: DatasetStatistics) -> Chart:
    shown = statistics.combinations[:_MOST_COMBINATIONS]
    with drawing(_HALF_PX, 380) as figure:
        axes = figure.subplots()
        _draw_bars(axes, [c.frames for c in shown], [ACCENT.light] * len(shown), lambda n: f"{n:,}")
        for row, combination in enumerate(shown):
            _draw_members(axes, row, combination.class_ids, len(statistics.classes))
        axes.set_yticks([])
        axes.invert_yaxis()
        axes.set_xlabel("frames")
        svg = inline_svg(
            figure, "combinations", "Frames by the combination of classes that they show, as bars."
        )
    left_out = len(statistics.combinations) - len(shown)
    rest = f" ({left_out} rarer ones are left out)" if left_out else ""
    several = sum(c.frames for c in statistics.combinations if len(c.class_ids) > 1)
    caption = (
        "Each row is a combination of classes, told by its dots (none: clean), and how many frames show "
        f"just these{rest}; {percent(several / max(1, statistics.frames))} of the frames show several."
    )
    return Chart("combinations", "Combinations", caption, svg, half=True)


def _draw_members(axes: Axes, row: int, class_ids: Sequence[int], classes: int) -> None:
    """Dots beside a bar, one for each class, filled where it belongs to the combination."""
    for class_id in range(classes):
        member = class_id in class_ids
        axes.annotate(
            "\N{BLACK CIRCLE}" if member else "\N{MIDDLE DOT}",
            (0, row),
            xytext=(-15 * (classes - class_id), 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=14 if member else 11,
            color=class_colour(class_id).light if member else MUTED.light,
            annotation_clip=False,
        )


_SIZES: tuple[tuple[str, Callable[[ClassStatistics], Percentiles | None]], ...] = (
    ("width across the strip, px", lambda figures: figures.width_px),
    ("height along the strip, px", lambda figures: figures.height_px),
    ("area, px", lambda figures: figures.area_px),
)


def _size_chart(statistics: DatasetStatistics) -> Chart:
    with drawing(_WIDE_PX, 80 + _ROW_PX * len(statistics.classes)) as figure:
        panels = figure.subplots(1, len(_SIZES), sharey=True)
        for axes, (label, of) in zip(panels, _SIZES, strict=True):
            axes.set_xscale("log")
            for class_id, figures in enumerate(statistics.classes):
                _draw_percentiles(axes, class_id, of(figures))
            axes.set_xlabel(label)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.xaxis.set_minor_locator(NullLocator())
        _name_rows(panels[0], statistics.classes)
        svg = inline_svg(figure, "sizes", "Widths, heights and areas of the defects of each class.")
    caption = (
        "Sizes of single defects on a logarithmic scale: the dot is the median, the bar holds the middle "
        "half, the thin line nine in ten."
    )
    return Chart("sizes", "Defect sizes", caption, svg)


def _draw_percentiles(axes: Axes, class_id: int, percentiles: Percentiles | None) -> None:
    if percentiles is None:
        return
    colour = class_colour(class_id).light
    axes.plot([percentiles.p5, percentiles.p95], [class_id] * 2, color=colour, linewidth=1.6)
    axes.plot(
        [percentiles.p25, percentiles.p75], [class_id] * 2, color=colour, linewidth=11, solid_capstyle="butt"
    )
    axes.plot(
        percentiles.p50, class_id, "o", markersize=7, color=SURFACE.light, markeredgecolor=colour, mew=1.6
    )


def _name_rows(axes: Axes, classes: Sequence[ClassStatistics]) -> None:
    axes.set_yticks(range(len(classes)), [short(figures.name) for figures in classes])
    axes.set_ylim(len(classes) - 0.5, -0.5)


def _position_chart(statistics: DatasetStatistics) -> Chart:
    width, height, frames = statistics.sizes_px[0]
    one_size = frames == statistics.frames
    extent = (width, height) if one_size else (100, 100)
    unit = "px" if one_size else "% of the frame"
    columns = 1 if width > 2 * height else min(4, len(statistics.classes))
    rows = -(-len(statistics.classes) // columns)
    panel_height = (_WIDE_PX - 90) / columns * height / width
    with drawing(_WIDE_PX, 50 + rows * (panel_height + 40)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(statistics.classes) :]:
            axes.set_visible(False)
        for class_id, (figures, axes) in enumerate(zip(statistics.classes, grid.flat, strict=False)):
            axes.set_title(short(figures.name))
            _draw_positions(axes, np.asarray(figures.positions), extent, class_colour(class_id).light)
        for axes in grid[-1]:
            axes.set_xlabel(f"x across the strip, {unit}")
        for axes in grid[:, 0]:
            axes.set_ylabel(f"y along, {unit}")
        svg = inline_svg(figure, "positions", "Heat map over the frame of the defects of each class.")
    caption = (
        "Where on the frame the defects of a class lie: the stronger the colour, the more of the class's "
        "pixels; upright bands hint at fixed places of the rolls or at the strip's edge."
    )
    return Chart("positions", "Defect positions", caption, svg)


def _draw_positions(axes: Axes, parts: np.ndarray, extent: tuple[float, float], colour: str) -> None:
    rows, columns = parts.shape
    width, height = extent[0] / columns, extent[1] / rows
    for row, column in np.argwhere(parts > parts.max() / 100):
        place = (column * width, row * height)
        opacity = float(parts[row, column] / parts.max())
        axes.add_patch(Rectangle(place, width, height, color=colour, alpha=opacity, linewidth=0))
    axes.set_xlim(0, extent[0])
    axes.set_ylim(extent[1], 0)
    axes.set_yticks([0, extent[1] / 2, extent[1]])
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)


def _grey_chart(grey: GreyStatistics) -> Chart:
    parts = np.asarray(grey.histogram) / max(1, sum(grey.histogram))
    with drawing(_HALF_PX, 300) as figure:
        axes = figure.subplots()
        axes.stairs(100 * parts, np.arange(257), fill=True, color=ACCENT.light, alpha=0.85)
        # The black beside the strip would press everything else to the ground.
        axes.set_ylim(0, 110 * parts[8:250].max(initial=1e-3))
        axes.set_xlim(0, 256)
        axes.set_xticks([0, 64, 128, 192, 255])
        axes.set_xlabel("grey level")
        axes.set_ylabel("% of the pixels")
        svg = inline_svg(figure, "grey", "Histogram of grey levels.")
    caption = (
        f"Grey levels of {grey.pictures:,} pictures spread over the set: mean {grey.mean:.0f}; "
        f"{percent(grey.black)} of the pixels are black (off the strip), {percent(grey.white)} overexposed."
    )
    return Chart("grey", "Grey levels", caption, svg, half=True)


def _contrast_chart(classes: Sequence[ClassStatistics]) -> Chart:
    with drawing(_HALF_PX, 300) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=MUTED.light, linewidth=1)
        for class_id, figures in enumerate(classes):
            _draw_percentiles(axes, class_id, figures.contrast.level if figures.contrast else None)
        _name_rows(axes, classes)
        axes.set_xlabel("grey levels brighter than the steel around")
        svg = inline_svg(figure, "contrast", "Brightness of each class against the steel around it.")
    caption = (
        "Brightness of a defect against the steel 20 px around it, as median, middle half and nine in ten: "
        "what lies about zero is told by its texture alone."
    )
    return Chart("contrast", "Contrast", caption, svg, half=True)
