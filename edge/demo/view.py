"""The live view on the terminal, and the summary at the end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from rich import box
from rich.console import Console, ConsoleRenderable, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from consumers.palette import colour_of_class
from edge.contracts.results import Defect
from edge.daemon import Daemon
from edge.demo.account import Account

# What is not the table of defects: title, cameras' frame and head, figures, frames around the panels.
_FIXED_ROWS = 13
_NARROW_COLUMNS = 96


@dataclass(frozen=True, slots=True)
class Scene:
    """What the view shows beside the account."""

    model: str
    http_url: str
    lag: Callable[[], Mapping[tuple[str, int], int]]

    @classmethod
    def of(cls, daemon: Daemon) -> Self:
        """Return what there is to tell of a daemon that is ready."""
        runtime = daemon.runtime
        model = f"{runtime.model_name} on {runtime.device}, {runtime.precision}" if runtime else ""
        return cls(model, daemon.http_url, daemon.lag)


class View:
    """Renders the account anew each time it is drawn."""

    def __init__(self, account: Account, scene: Scene, console: Console) -> None:
        self._account = account
        self._scene = scene
        self._console = console

    def __rich__(self) -> ConsoleRenderable:
        """Return the whole screen."""
        return Group(
            self._title(),
            Panel(self._cameras(), title="cameras", title_align="left", border_style="dim"),
            self._figures(),
            Panel(self._defects(), title="last defects", title_align="left", border_style="dim"),
            Text("Ctrl-C drains and prints the summary", style="dim"),
        )

    def _title(self) -> Text:
        scene = self._scene
        title = Text.assemble(("stripsight", "bold"), "  ", (scene.model, "cyan"), "  ")
        return title.append(f"{scene.http_url}/metrics", style=f"dim link {scene.http_url}/metrics")

    def _cameras(self) -> Table:
        table = _table(
            "camera", ">frames/s", ">published", ">inspected", ">failed", ">defects", "coil", ">at mm"
        )
        now = time.monotonic()
        for name, camera in self._account.cameras.items():
            failed = camera.outcomes["failed"] + camera.outcomes["skipped"]
            table.add_row(
                Text(name, style="bold"),
                f"{camera.frames_per_s(now):.1f}",
                f"{camera.published}",
                f"{camera.outcomes['inspected']}",
                Text(f"{failed}", style="bold red" if failed else "dim"),
                f"{camera.defects}",
                camera.coil or "-",
                "-" if camera.position_mm is None else f"{camera.position_mm:,.0f}",
            )
        return table

    def _figures(self) -> Text:
        account = self._account
        lag = sum(self._scene.lag().values())
        figures = [
            ("latency p50", _seconds(account.latency_s(0.50))),
            ("p99", _seconds(account.latency_s(0.99))),
            ("consumer lag", f"{lag} frames"),
            ("defects", f"{account.defects}"),
        ]
        text = Text(" ")
        for name, value in figures:
            text.append(f"{name} ", style="dim").append(value, style="bold").append("   ")
        return text

    def _defects(self) -> Table:
        wide = self._console.width >= _NARROW_COLUMNS
        table = _table("camera", *(["coil"] if wide else []), "class", ">score", ">x mm", ">y mm", ">size mm")
        rows = max(self._console.height - _FIXED_ROWS - len(self._account.cameras), 3)
        shown = list(self._account.last_defects)[-rows:]
        for defect in reversed(shown):
            coil = [defect.frame.coil or "-"] if wide else []
            table.add_row(defect.frame.camera, *coil, *self._defect_cells(defect))
        for _ in range(rows - len(shown)):
            table.add_row()
        return table

    def _defect_cells(self, defect: Defect) -> list[Text | str]:
        where = defect.box_mm
        return [
            Text(f"● {defect.class_name}", style=_colour(defect.class_id)),
            f"{defect.score:.2f}",
            f"{where.x0:,.0f}",
            f"{where.y0:,.0f}",
            f"{where.x1 - where.x0:.0f} × {where.y1 - where.y0:.0f}",
        ]


def summary(account: Account) -> ConsoleRenderable:
    """Return the account of the whole run, and whether it closes."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    outcomes = account.outcomes
    metres = sum(camera.strip_mm for camera in account.cameras.values()) / 1000
    table.add_column("camera", "total", style="bold")
    for head, total in (
        ("published", f"{account.published}"),
        ("inspected", f"{outcomes['inspected']}"),
        ("skipped", f"{outcomes['skipped']}"),
        ("failed", f"{outcomes['failed']}"),
        ("defects", f"{account.defects}"),
        ("strip m", f"{metres:,.1f}"),
    ):
        table.add_column(head, total, justify="right", footer_style="bold")
    for name, camera in account.cameras.items():
        counts = [camera.outcomes[outcome] for outcome in ("inspected", "skipped", "failed")]
        cells = [camera.published, *counts, camera.defects]
        table.add_row(name, *(str(cell) for cell in cells), f"{camera.strip_mm / 1000:,.1f}")
    latency = f"latency p50 {_seconds(account.latency_s(0.5))}, p99 {_seconds(account.latency_s(0.99))}"
    return Group(table, Text(f"  {latency}", style="dim"), _verdict(account))


def _verdict(account: Account) -> Text:
    outcomes = account.outcomes
    sides = (
        f"{account.published} published = {outcomes['inspected']} inspected "
        f"+ {outcomes['skipped']} skipped + {outcomes['failed']} failed"
    )
    if account.is_closed:
        return Text(f"  account closed: {sides}", style="green")
    return Text(f"  ACCOUNT DOES NOT CLOSE: {sides.replace(' = ', ' ≠ ')}", style="bold red")


def _table(*heads: str) -> Table:
    """Return an empty table; a head that begins with ``>`` is of a column of numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        table.add_column(
            head.removeprefix(">"), justify="right" if head.startswith(">") else "left", no_wrap=True
        )
    return table


def _colour(class_id: int) -> str:
    red, green, blue = colour_of_class(class_id)
    return f"rgb({red},{green},{blue})"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
