"""A comparison as tables in the terminal, and pictures of the frames that differ."""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.palette import style_of_class
from consumers.pictures import counted, draw, encode_jpeg, scene_of_detections
from edge.cli.model_comparison import Contestant, ModelComparison
from edge.training.evaluation.differences import SAME_IOU
from edge.training.evaluation.record import Evaluation

# A table that goes to a file has room for all its columns.
_FILE_WIDTH = 140
_NOT_KNOWN = Text("-", "dim")
# What of each figure is better: more, or less.
_MORE, _LESS = 1, -1

Figure = tuple[str, Callable[[Evaluation], float | None], int]

_FIGURES: tuple[Figure, ...] = (
    ("Dice", lambda e: e.total.dice, _MORE),
    ("mask AP50", lambda e: e.total.mask.ap50 if e.total.mask else None, _MORE),
    ("mask AP", lambda e: e.total.mask.ap if e.total.mask else None, _MORE),
    ("box AP50", lambda e: e.total.box.ap50, _MORE),
    ("box AP", lambda e: e.total.box.ap, _MORE),
    ("part of defects found", lambda e: _part(e.total.mill.found, e.total.mill.defects), _MORE),
    ("false alarms a clean frame", lambda e: e.total.mill.false_alarms_per_clean_frame, _LESS),
)


def print_comparison(comparison: ModelComparison, out: Path | None) -> None:
    """Print everything on standard output."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)
    console.print(_headline(comparison))
    console.print(_difference_table(comparison))
    console.print(_speed_table(comparison))
    if comparison.first.evaluation is not None and comparison.second.evaluation is not None:
        console.print(_figure_table(comparison.first.evaluation, comparison.second.evaluation))
    console.print(_notes(comparison, out))


def write_pictures(comparison: ModelComparison, out: Path, *, most: int) -> None:
    """Write ``<frame>.compared.jpg``: A above B, of the frames that differ most."""
    order = sorted(range(len(comparison.differences)), key=lambda n: -comparison.differences[n].count)
    for number in order[:most]:
        if not comparison.differences[number].count:
            break
        name, read = comparison.source.frames[number]
        image = read()
        parts = [
            draw(image, scene_of_detections(side.found[number], comparison.class_names, title=title))
            for side, title in _titled(comparison, name)
        ]
        (out / f"{Path(name).stem}.compared.jpg").write_bytes(encode_jpeg(_stacked(parts)))


def _titled(comparison: ModelComparison, name: str) -> list[tuple[Contestant, str]]:
    sides = (("A", comparison.first), ("B", comparison.second))
    return [(side, f"{letter}: {side.folder.name}, {name}") for letter, side in sides]


def _stacked(parts: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """One above the other; a caption may have made one wider."""
    width = max(part.shape[1] for part in parts)
    padded = [
        cv2.copyMakeBorder(part, 0, 0, 0, width - part.shape[1], cv2.BORDER_REPLICATE) for part in parts
    ]
    return np.vstack(padded).astype(np.uint8)


def _headline(comparison: ModelComparison) -> Text:
    text = Text()
    for letter, side in (("A", comparison.first), ("B", comparison.second)):
        how = f"{side.engine.runtime}, {side.engine.precision}"
        text.append(f"{letter}  ", "bold cyan" if letter == "A" else "bold magenta")
        text.append(side.folder.name, "bold")
        text.append(f" {side.folder.version}  ")
        text.append(f"{how}  {side.engine.folder}\n", "dim")
    frames = len(comparison.differences)
    differ = sum(difference.count > 0 for difference in comparison.differences)
    text.append(f"{counted(frames, 'frame')} of {comparison.source.name}; ")
    text.append(
        f"{'all alike' if not differ else f'{differ:,} differ'}\n", "green" if not differ else "yellow"
    )
    return text


def _difference_table(comparison: ModelComparison) -> Table:
    table = _table("Detections", "class", "A", "B", "both", "A alone", "B alone", "score\nB - A", "edges\npx")
    for class_id, name in enumerate(comparison.class_names):
        table.add_row(Text(f"● {name}", style_of_class(class_id)), *_row(comparison, class_id))
    table.add_section()
    table.add_row("all", *_row(comparison, None), style="bold")
    return table


def _row(comparison: ModelComparison, class_id: int | None) -> list[str | Text]:
    """One class, or all: how many, and how far apart what both found lies, on average."""
    first = second = first_alone = second_alone = 0
    scores: list[float] = []
    edges: list[float] = []
    for a, b, found in zip(
        comparison.first.found, comparison.second.found, comparison.differences, strict=True
    ):
        of_a, of_b = _of_class(a.classes, class_id), _of_class(b.classes, class_id)
        first += int(of_a.sum())
        second += int(of_b.sum())
        first_alone += sum(bool(of_a[index]) for index in found.first_alone)
        second_alone += sum(bool(of_b[index]) for index in found.second_alone)
        pairs = [pair for pair in found.pairs if of_a[pair.first]]
        scores += [pair.score for pair in pairs]
        edges += [pair.edge_px for pair in pairs]
    return [
        f"{first}",
        f"{second}",
        f"{len(scores)}",
        _alone(first_alone),
        _alone(second_alone),
        f"{statistics.fmean(scores):+.3f}" if scores else _NOT_KNOWN,
        f"{statistics.fmean(edges):.2f}" if edges else _NOT_KNOWN,
    ]


def _of_class(classes: npt.NDArray[np.int64], class_id: int | None) -> npt.NDArray[np.bool_]:
    return np.ones(len(classes), np.bool_) if class_id is None else classes == class_id


def _alone(count: int) -> Text:
    return Text(f"{count}", "yellow" if count else "dim")


def _speed_table(comparison: ModelComparison) -> Table:
    table = _table("Time a frame, one by one", "", "A", "B", "A / B", "spread")
    first, second = comparison.first.seconds, comparison.second.seconds
    ratios = sorted(a / b for a, b in zip(first, second, strict=True))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    table.add_row(
        "median",
        f"{statistics.median(first) * 1000:.0f} ms",
        f"{statistics.median(second) * 1000:.0f} ms",
        Text(f"{statistics.median(ratios):.2f}", "bold"),
        f"{low:.2f} .. {high:.2f}",
    )
    return table


def _figure_table(first: Evaluation, second: Evaluation) -> Table:
    table = _table("Figures, at each model's own thresholds", "", "A", "B", "B - A")
    for name, of, better in _FIGURES:
        table.add_row(name, *_figures(of(first), of(second), better))
    return table


def _figures(a: float | None, b: float | None, better: int) -> list[str | Text]:
    if a is None or b is None:
        return [*(_NOT_KNOWN if value is None else f"{value:.3f}" for value in (a, b)), _NOT_KNOWN]
    change = b - a
    style = "dim" if abs(change) < 0.0005 else "green" if change * better > 0 else "red"  # noqa: PLR2004 # shown as 0
    return [f"{a:.3f}", f"{b:.3f}", Text(f"{change:+.3f}", style)]


def _notes(comparison: ModelComparison, out: Path | None) -> Text:
    text = Text(f"both: detections of one class whose boxes overlap with IoU {SAME_IOU:g}", "dim")
    differ = any(difference.count for difference in comparison.differences)
    if out is not None:
        text.append(
            f"\n{out}: pictures of frames that differ" if differ else "\nno frame differs: no picture"
        )
    return text


def _part(count: int, whole: int) -> float | None:
    return count / whole if whole else None


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", vertical="bottom", no_wrap=True)
    return table
