"""An evaluation as tables in the terminal."""

import sys

from rich import box
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from consumers.palette import style_of_class
from edge.training.evaluation.record import (
    AveragePrecision,
    Calibration,
    ClassFigures,
    Confusion,
    Evaluation,
    MillFigures,
    Spread,
    Total,
)

# A table that goes to a file has room for all its columns.
_FILE_WIDTH = 160
_NOT_KNOWN = Text("-", "dim")
_BAR = 20  # characters of a full bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"

Cell = str | Text


def show(evaluation: Evaluation) -> None:
    """Print everything on standard output."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)
    console.print(_headline(evaluation))
    console.print(_overlap_table(evaluation))
    console.print(_mill_table(evaluation))
    console.print(_confusion_table(evaluation.confusion))
    console.print(_calibration_table(evaluation.total.calibration))
    if evaluation.folds is not None:
        console.print(_fold_table(evaluation))
    console.print(_notes(evaluation))


def _headline(evaluation: Evaluation) -> Text:
    model = f"{evaluation.model_name} {evaluation.model_version}".strip() or "stored detections"
    rate = evaluation.frames_per_second
    return Text.assemble(
        (model, "bold"),
        " on ",
        (evaluation.data, "bold"),
        f"\n{evaluation.frames:,} frames, {evaluation.clean_frames:,} clean, "
        f"{evaluation.length_m:,.1f} m of strip at {evaluation.pitch_y_mm:g} mm a row",
        f"; {rate:.1f} frames/s" if rate is not None else "",
        f"\nthresholds: {evaluation.thresholds_from}\n",
    )


def _overlap_table(evaluation: Evaluation) -> Table:
    kind = evaluation.overlap
    table = _table("Overlap", "class", "threshold", "frames", "Dice", "of\nnothing", "where\npresent")
    columns = [
        f"{k}\n{name}" for k in ("mask", "box") if k == "box" or kind == "mask" for name in ("AP50", "AP")
    ]
    for column in columns:
        table.add_column(column, justify="right")
    for class_id, figures in enumerate(evaluation.classes):
        table.add_row(
            _class(figures.name, class_id),
            f"{figures.threshold:.2f}",
            f"{figures.frames}",
            *_overlap(figures),
        )
    table.add_section()
    shown = sum(bool(frame.defects) for frame in evaluation.by_frame)
    table.add_row("all", "", f"{shown}", *_overlap(evaluation.total), style="bold")
    return table


def _overlap(figures: ClassFigures | Total) -> list[Cell]:
    averages = [average for average in (figures.mask, figures.box) if average is not None]
    return [
        f"{figures.dice:.4f}",
        f"{figures.dice_of_nothing:.4f}",
        _number(figures.dice_where_present, ".3f"),
        *(cell for average in averages for cell in _average(average)),
    ]


def _average(average: AveragePrecision) -> tuple[Cell, Cell]:
    return _number(average.ap50, ".3f"), _number(average.ap, ".3f")


def _mill_table(evaluation: Evaluation) -> Table:
    table = _table(
        "Defects",
        "class",
        "defects",
        "found",
        "at IoU\n0.5",
        "missed",
        "missed\n/ 100 m",
        "detections",
        "false\nalarms",
        "/ clean\nframe",
        "/ 100 m",
    )
    for class_id, figures in enumerate(evaluation.classes):
        table.add_row(_class(figures.name, class_id), *_mill(figures.mill))
    table.add_section()
    table.add_row("all", *_mill(evaluation.total.mill), style="bold")
    return table


def _mill(mill: MillFigures) -> list[Cell]:
    return [
        f"{mill.defects}",
        _part(mill.found, mill.defects),
        _part(mill.found_at_iou50, mill.defects),
        f"{mill.missed}",
        _number(mill.missed_per_100m, ".1f"),
        f"{mill.detections}",
        f"{mill.false_alarms}",
        _number(mill.false_alarms_per_clean_frame, ".3f"),
        _number(mill.false_alarms_per_100m, ".1f"),
    ]


def _confusion_table(confusion: Confusion) -> Table:
    table = _table("Confusion: rows are the truth, columns what it was taken for", "truth", *confusion.names)
    for number, (name, row) in enumerate(zip(confusion.names, confusion.counts, strict=True)):
        last = number == len(confusion.names) - 1
        heading = Text(name, "dim") if last else _class(name, number)
        cells = [_shaded(count, sum(row), right=number == column) for column, count in enumerate(row)]
        if last:
            cells[-1] = Text("")
        table.add_row(heading, *cells)
    return table


def _shaded(count: int, whole: int, *, right: bool) -> Text:
    """The deeper its background, the larger the part of its row: green where it is right, red where not."""
    if not count:
        return Text("·", "dim")
    depth = int(150 * count / whole)
    colour = f"rgb(0,{depth},{depth // 3})" if right else f"rgb({depth},{depth // 6},0)"
    return Text(f" {count} ", Style(bgcolor=colour, color="white", bold=right))


def _calibration_table(calibration: Calibration) -> Table:
    error = calibration.expected_error
    title = "Calibration" if error is None else f"Calibration: expected error {error:.3f}"
    table = _table(title, "scores", "detections", "mean\nscore", "right")
    table.add_column("")
    for part in calibration.bins:
        if not part.count:
            continue
        table.add_row(
            f"{part.low:.1f} to {part.high:.1f}",
            f"{part.count}",
            _number(part.mean_score, ".2f"),
            _number(part.precision, ".2f"),
            _bar(part.precision or 0.0, part.mean_score or 0.0),
        )
    return table


def _bar(value: float, wanted: float) -> Text:
    """A bar as long as ``value``, with a mark where it ought to end."""
    eighths = round(value * _BAR * 8)
    bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8].strip() if eighths % 8 else "")
    text = Text(bar.ljust(_BAR), "cyan")
    at = min(int(wanted * _BAR), _BAR - 1)
    return Text.assemble(text[:at], ("│", "bold yellow"), text[at + 1 :])


def _fold_table(evaluation: Evaluation) -> Table:
    table = _table(
        "Folds", "detections of", "frames", "Dice", "of\nnothing", "found", "false alarms\n/ clean frame"
    )
    folds = evaluation.folds
    if folds is None:
        return table
    for fold in folds.folds:
        table.add_row(
            fold.name,
            f"{fold.frames}",
            f"{fold.dice:.4f}",
            f"{fold.dice_of_nothing:.4f}",
            _number(fold.found, ".1%"),
            _number(fold.false_alarms_per_clean_frame, ".3f"),
        )
    table.add_section()
    table.add_row(
        "mean ± standard deviation",
        "",
        _spread(folds.dice, ".4f"),
        "",
        _spread(folds.found, ".1%"),
        _spread(folds.false_alarms_per_clean_frame, ".3f"),
        style="bold",
    )
    return table


def _notes(evaluation: Evaluation) -> Text:
    text = Text()
    cross = evaluation.cross_tuned
    if cross is not None:
        text.append("cross-tuned ", "bold")
        text.append(f"for {cross.target}, each of {cross.parts} parts by the others: Dice {cross.dice:.4f}")
        if cross.found is not None:
            text.append(f", found {cross.found:.1%}")
        if cross.false_alarms_per_clean_frame is not None:
            text.append(f", {cross.false_alarms_per_clean_frame:.3f} false alarms a clean frame")
        text.append("\n")
    text.append(
        f"found: defects that a detection of their class meets with {evaluation.overlap} IoU 0.3; "
        "false alarms: detections that meet none",
        "dim",
    )
    return text


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
    )
    table.add_column(first, vertical="bottom", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    return table


def _class(name: str, class_id: int) -> Text:
    return Text(f"● {name}", style_of_class(class_id))


def _number(value: float | None, form: str) -> Cell:
    return _NOT_KNOWN if value is None else format(value, form)


def _part(count: int, whole: int) -> Cell:
    return f"{count}  {count / whole:4.0%}" if whole else _NOT_KNOWN


def _spread(spread: Spread | None, form: str) -> Cell:
    if spread is None:
        return _NOT_KNOWN
    return f"{spread.mean:{form}} ± {spread.standard_deviation:{form}}"
