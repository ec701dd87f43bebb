"""Figures of contestants that run in turn, their medians and spread, and the table that shows them.

A result is ``{"subject": a sentence, "contestants": {name: {figure: [a value a repetition]}}, "ratios":
{name: [a value a repetition]}}``. Of ratios the larger is the better one; they are taken within a repetition,
so that what else the machine does meets both sides.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

Result = dict[str, Any]

# Figure, its head in the table, and how it is written.
_COLUMNS = (
    ("frames_per_s", "frames/s", ".1f"),
    ("p50_ms", "p50 ms", ".1f"),
    ("p90_ms", "p90 ms", ".1f"),
    ("p99_ms", "p99 ms", ".1f"),
    ("cpu_ms_per_frame", "CPU ms/frame", ".3f"),
    ("peak_mib", "peak MiB", ".0f"),
)


class Figures:
    """Collects what contestants did, repetition by repetition."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._contestants: dict[str, dict[str, list[float]]] = {}
        self._ratios: dict[str, list[float]] = {}

    def add(self, contestant: str, **values: float | None) -> None:
        """Note one repetition of a contestant; what is None does not apply to it."""
        figures = self._contestants.setdefault(contestant, {})
        for name, value in values.items():
            if value is not None:
                figures.setdefault(name, []).append(value)

    def add_ratio(self, name: str, ratio: float) -> None:
        """Note a ratio within one repetition; the larger the better."""
        self._ratios.setdefault(name, []).append(ratio)

    def result(self) -> Result:
        """Return all that was noted."""
        return {"subject": self._subject, "contestants": self._contestants, "ratios": self._ratios}


def percentiles(values_ms: Sequence[float]) -> dict[str, float]:
    """Return p50, p90 and p99 under the names that results have for them."""
    cuts = statistics.quantiles(values_ms, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p90_ms": cuts[89], "p99_ms": cuts[98]}


def new_table(title: str, *heads: str) -> Table:
    """Return a table in the one style: the first column names, the others are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index else "left", no_wrap=True)
    return table


def table_of(result: Result) -> Table:
    """Show medians of the contestants, and below them the ratios with their spread."""
    shown = [
        column for column in _COLUMNS if any(column[0] in each for each in result["contestants"].values())
    ]
    table = new_table(result["subject"], "", *(head for _, head, _ in shown))
    for name, figures in result["contestants"].items():
        table.add_row(name, *(_median(figures.get(figure, []), form) for figure, _, form in shown))
    add_ratios(table, result["ratios"])
    return table


def add_ratios(table: Table, ratios: Mapping[str, Sequence[float]]) -> None:
    """Add below a line the medians of ratios, and their spread."""
    table.add_section()
    for name, values in ratios.items():
        spread = f"[dim]{min(values):.2f} .. {max(values):.2f}[/dim]"
        table.add_row(f"[bold]{name}[/bold]", f"{statistics.median(values):.2f} {spread}")


def _median(values: Sequence[float], form: str) -> str:
    return format(statistics.median(values), form) if values else ""
