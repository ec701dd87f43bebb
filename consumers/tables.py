"""Result records as the rows of a table that never ends: aligned columns, one line a record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec
from rich.text import Text

from consumers.palette import style_of_class
from edge.contracts import Defect, Inspection

Record = TypeVar("Record", bound=msgspec.Struct)

# What terminals and terminal windows beside others commonly have; the columns are made to fill it exactly.
NARROWEST = 100
_GAP = "  "
_WIDEST_NAME = 24
_UNKNOWN = "-"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_OUTCOME_STYLES = {"inspected": "green", "skipped": "yellow", "failed": "bold red"}


@dataclass(frozen=True, slots=True)
class Column(Generic[Record]):
    """A column: its title, the cell of a record, and how wide it is; names take part of a wider screen."""

    title: str
    cell: Callable[[Record], str | Text]
    width: int
    align: Literal["left", "right"] = "left"
    is_name: bool = False


class RollingTable(Generic[Record]):
    """Renders records under each other. Without a ``width``, as in a file, nothing is cut off."""

    def __init__(self, columns: Sequence[Column[Record]], width: int | None = None) -> None:
        self._columns = columns
        self._cuts = width is not None
        names = sum(column.is_name for column in columns)
        spare = max((width or NARROWEST) - NARROWEST, 0) // names
        self._widths = [
            min(column.width + spare, max(column.width, _WIDEST_NAME)) if column.is_name else column.width
            for column in columns
        ]

    def header(self) -> Text:
        """Return the line of titles."""
        return self._line([Text(column.title, style="dim") for column in self._columns])

    def row(self, record: Record) -> Text:
        """Return the line of a record."""
        return self._line([_as_text(column.cell(record)) for column in self._columns])

    def _line(self, cells: Sequence[Text]) -> Text:
        for cell, column, width in zip(cells, self._columns, self._widths, strict=True):
            if self._cuts:
                cell.truncate(width, overflow="ellipsis")
            cell.align(column.align, max(width, cell.cell_len))
        line = Text(_GAP).join(cells)
        line.rstrip()
        return line


def defect_table(width: int | None = None) -> RollingTable[Defect]:
    """Return the table of defects: where each one is on the strip, and how large."""
    return RollingTable(
        [
            Column("time", lambda defect: _time(defect.frame.captured_at), 8),
            Column("line", lambda defect: defect.frame.line, 6, is_name=True),
            Column("camera", lambda defect: defect.frame.camera, 8, is_name=True),
            Column("coil", lambda defect: defect.frame.coil or _UNKNOWN, 8, is_name=True),
            Column("class", _class, 13, is_name=True),
            Column("score", lambda defect: f"{defect.score:.2f}", 5, "right"),
            Column("x mm", lambda defect: f"{defect.box_mm.x0:.0f}", 6, "right"),
            Column("y mm", lambda defect: f"{defect.box_mm.y0:.0f}", 8, "right"),
            Column("size mm", _size, 12, "right"),
            Column("area mm²", lambda defect: f"{defect.area_mm2:.0f}", 8, "right"),
        ],
        width,
    )


def inspection_table(width: int | None = None) -> RollingTable[Inspection]:
    """Return the table of inspections: what became of each frame."""
    return RollingTable(
        [
            Column("time", lambda inspection: _time(inspection.frame.captured_at), 8),
            Column("line", lambda inspection: inspection.frame.line, 6, is_name=True),
            Column("camera", lambda inspection: inspection.frame.camera, 8, is_name=True),
            Column("coil", lambda inspection: inspection.frame.coil or _UNKNOWN, 8, is_name=True),
            Column("frame", lambda inspection: _number(inspection.frame.sequence), 8, "right"),
            Column("y mm", lambda inspection: _number(_position(inspection)), 8, "right"),
            Column("outcome", _outcome, 9),
            Column("defects", lambda inspection: f"{inspection.defects}", 7, "right"),
            Column("age ms", lambda inspection: f"{_age_ms(inspection):.0f}", 7, "right"),
            Column("reason", lambda inspection: inspection.reason or "", 13, is_name=True),
        ],
        width,
    )


def _as_text(cell: str | Text) -> Text:
    """Make a cell that is safe on a terminal: what is no character for people might be a command to it."""
    text = cell if isinstance(cell, Text) else Text(cell)
    shown = "".join(each if each.isprintable() else _REPLACEMENT for each in text.plain)
    return text if shown == text.plain else Text(shown, style=text.style)


def _time(moment: datetime) -> str:
    try:
        return f"{moment.astimezone():%H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # beyond what the calendar has in this time zone
        return _UNKNOWN


def _class(defect: Defect) -> Text:
    return Text(f"● {defect.class_name}", style=style_of_class(defect.class_id))


def _size(defect: Defect) -> str:
    box = defect.box_mm
    return f"{box.x1 - box.x0:.1f}×{box.y1 - box.y0:.1f}"


def _position(inspection: Inspection) -> float | None:
    return inspection.strip_mm.y0 if inspection.strip_mm else None


def _age_ms(inspection: Inspection) -> float:
    """From capture to the end of inference: what of the latency the record itself can tell."""
    times = inspection.times
    return times.age_ms + times.decode_ms + times.wait_ms + times.infer_ms


def _outcome(inspection: Inspection) -> Text:
    return Text(inspection.outcome, style=_OUTCOME_STYLES[inspection.outcome])


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.0f}"
