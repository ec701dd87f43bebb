"""The figures of a labelled set as tables for the terminal."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from consumers.palette import style_of_class
from consumers.pictures import counted
from edge.training.data.grey import GreyStatistics
from edge.training.data.percentiles import Percentiles
from edge.training.data.statistics import DatasetStatistics

_BLOCKS = " ▁▂▃▄▅▆▇█"
_MOST_COMBINATIONS = 10


def tables_of(statistics: DatasetStatistics) -> Iterator[Table | Text]:
    """The whole set, then classes, sizes, places, combinations and grey levels."""
    yield _overview(statistics)
    yield _classes(statistics)
    yield _sizes(statistics)
    yield _places(statistics)
    yield _together(statistics)
    yield _combinations(statistics)
    if statistics.grey is not None:
        yield _grey(statistics.grey)


def _overview(statistics: DatasetStatistics) -> Text:
    sizes = ", ".join(f"{width} × {height} px" for width, height, _ in statistics.sizes_px[:3])
    text = Text.assemble(
        (statistics.name, "bold"),
        f": {counted(statistics.frames, 'frame')} of {sizes}, {statistics.clean_frames:,} of them clean; "
        f"{counted(statistics.defects, 'defect')} on {statistics.defect_part:.2%} of the pixels",
    )
    return text if statistics.has_masks else text.append("; boxes, no masks")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(Text(column), justify="right", no_wrap=True)
    return table


def _name(statistics: DatasetStatistics, class_id: int) -> Text:
    return Text(f"● {statistics.class_names[class_id]}", style_of_class(class_id))


def _three(percentiles: Percentiles | None, digits: int = 0) -> str:
    """5th percentile, median, 95th percentile."""
    if percentiles is None:
        return "-"
    values = (percentiles.p5, percentiles.p50, percentiles.p95)
    # z: what rounds to zero has no sign.
    return " · ".join(f"{value:z,.{digits}f}" for value in values)


def _classes(statistics: DatasetStatistics) -> Table:
    table = _table("Classes", "class", "frames", "of all", "defects", "a frame", "level", "roughness")
    for class_id, found in enumerate(statistics.classes):
        contrast = found.contrast
        table.add_row(
            _name(statistics, class_id),
            f"{found.frames:,}",
            f"{found.frames / statistics.frames:.1%}" if statistics.frames else "-",
            f"{found.defects:,}",
            _three(found.defects_per_frame),
            _three(contrast.level) if contrast else "-",
            _three(contrast.roughness, 1) if contrast else "-",
        )
    return table


def _sizes(statistics: DatasetStatistics) -> Table:
    columns = ("class", "height px", "width px", "area px", "height / width", "fill of box", "tall", "wide")
    table = _table("Sizes of defects", *columns)
    for class_id, found in enumerate(statistics.classes):
        table.add_row(
            _name(statistics, class_id),
            _three(found.height_px),
            _three(found.width_px),
            _three(found.area_px),
            _three(found.height_by_width, 1),
            _three(found.fill, 2) if statistics.has_masks else "-",
            f"{found.tall:.0%}",
            f"{found.wide:.0%}",
        )
    return table


def _places(statistics: DatasetStatistics) -> Table:
    columns = ("class", "across the strip, left to right", "along", "top", "bottom", "left", "right")
    table = _table("Places of defects, and the edges that they touch", *columns)
    for class_id, found in enumerate(statistics.classes):
        style, edges = style_of_class(class_id), found.touches
        positions = np.array(found.positions)
        table.add_row(
            _name(statistics, class_id),
            Text(_profile(positions.sum(axis=0).tolist()), style),
            Text(_profile(positions.sum(axis=1).tolist()), style),
            *(f"{part:.0%}" for part in (edges.top, edges.bottom, edges.left, edges.right)),
        )
    return table


def _profile(parts: Sequence[float]) -> str:
    """One block a part; the highest is full, and nothing but zero is blank."""
    highest = max(parts) or 1.0
    return "".join(_BLOCKS[int(np.ceil(part / highest * (len(_BLOCKS) - 1)))] for part in parts)


def _together(statistics: DatasetStatistics) -> Table:
    table = _table("Frames that show both classes", "", *statistics.class_names)
    for class_id, row in enumerate(statistics.co_occurrence):
        cells = (
            Text(f"{frames:,}" if frames else "·", "bold" if other == class_id else "")
            for other, frames in enumerate(row)
        )
        table.add_row(_name(statistics, class_id), *cells)
    return table


def _combinations(statistics: DatasetStatistics) -> Table:
    table = _table("Classes of a frame", "classes", "frames", "of all")
    for found in statistics.combinations[:_MOST_COMBINATIONS]:
        names = Text(" ").join(_name(statistics, class_id) for class_id in found.class_ids)
        table.add_row(
            names if found.class_ids else Text("clean", "dim"),
            f"{found.frames:,}",
            f"{found.frames / statistics.frames:.1%}",
        )
    return table


def _grey(grey: GreyStatistics) -> Table:
    table = _table(f"Grey levels of {grey.pictures:,} pictures", "0 to 255", "p5 · median · p95")
    table.add_row("mean of a picture", _three(grey.mean_of_picture))
    table.add_row("standard deviation of a picture", _three(grey.std_of_picture))
    table.add_row("mean of its steel", _three(grey.mean_of_steel))
    table.add_row("noise", _three(grey.noise, 1))
    table.add_row("light across the strip (std of columns)", _three(grey.std_of_columns))
    table.add_row("light along the strip (std of rows)", _three(grey.std_of_rows))
    table.add_row("black beside the strip, part of all pixels", f"{grey.black:.1%}")
    table.add_row("overexposed, part of all pixels", f"{grey.white:.1%}")
    return table
