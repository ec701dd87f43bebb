"""``stripsight data check``: what is wrong with a labelled set, line by line."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.data_options import LabelledSet

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from edge.training.data.checking import Findings

PROBLEMS_FOUND = 1  # exit code


def check(
    data: LabelledSet,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output, instead of a table.")
    ] = False,
) -> None:
    """Check labels, masks and pictures, and list every problem with its line or annotation.

    Errors keep the set from being used, warnings are for you to judge. The exit code is 1 if there is an
    error.
    """
    from rich.console import Console

    from edge.cli.data_progress import progress_bar
    from edge.training.data import checking

    with progress_bar("checking") as update:
        findings = checking.check(data, update)
    if as_json:
        sys.stdout.buffer.write(_document(findings))
    elif findings.problems:
        Console(width=None if sys.stdout.isatty() else 200).print(_table(findings))
    Console(stderr=True).print(_sum(findings), soft_wrap=True)
    if findings.errors:
        raise typer.Exit(PROBLEMS_FOUND)


def _document(findings: "Findings") -> bytes:
    import msgspec

    document = {
        "name": findings.dataset.name,
        "frames": len(findings.dataset.frames),
        "errors": findings.errors,
        "warnings": len(findings.problems) - findings.errors,
        "problems": findings.problems,
    }
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2) + b"\n"


def _table(findings: "Findings") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("where", overflow="fold")
    table.add_column("frame", overflow="fold")
    table.add_column("problem", overflow="fold")
    for problem in findings.problems:
        style = "bold red" if problem.severity == "error" else "yellow"
        cells = (problem.severity, problem.place, problem.frame, problem.message)
        table.add_row(*(Text(cell, style if number == 0 else "") for number, cell in enumerate(cells)))
    return table


def _sum(findings: "Findings") -> "Text":
    from rich.text import Text

    from consumers.pictures import counted

    errors, warnings = findings.errors, len(findings.problems) - findings.errors
    text = Text(f"{findings.dataset.name}: {counted(len(findings.dataset.frames), 'frame')}, ")
    if not findings.problems:
        return text.append("no problem found", style="green")
    parts = [(errors, "error", "bold red"), (warnings, "warning", "yellow")]
    found = [Text(counted(number, what), style) for number, what, style in parts if number]
    return text.append_text(Text(", ").join(found))
