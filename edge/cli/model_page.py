"""A model's facts as a page of the terminal, and as JSON."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from consumers.palette import style_of_class
from edge.cli.model_facts import CARD_FILE, Facts
from edge.cli.model_figures import architecture, thousands
from edge.training.evaluation.record import Evaluation
from edge.training.report.training_log import TrainingLog

_MORE = "*The rest of the card: `--card`.*"

# A page that goes to a file has room.
_FILE_WIDTH = 140
_SECTIONS = ("Figures", "Limits", "Terms")  # of a card, as ours have them


def print_page(facts: Facts, *, whole_card: bool) -> None:
    """Print everything on standard output."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)
    folder = facts.folder
    console.print(Text.assemble((folder.name, "bold"), f" {folder.version}", (f"  {facts.path}", "dim")), "")
    console.print(_facts_table(facts), "")
    console.print(_class_table(facts))
    for place, evaluation in facts.evaluations.items():
        console.print(_figures_table(evaluation, str(place)))
    if facts.run is not None:
        console.print(_run_table(facts.run))
    card = _shown_card(facts, whole=whole_card)
    if card:
        console.print(Markdown(card))


def as_document(facts: Facts) -> str:
    """Return the same as JSON, the card left out."""
    folder = facts.folder
    document: dict[str, Any] = {
        "name": folder.name,
        "version": folder.version,
        "path": str(facts.path),
        "architecture": dict(architecture(folder.config)),
        "classes": [
            {"name": name, "score_threshold": threshold}
            for name, threshold in zip(folder.class_names, folder.score_thresholds, strict=True)
        ],
        "weights": {"file": folder.weights_file.name, **asdict(facts.weights)},
        "sha256": facts.sha256,
        "native_runtime": facts.unsupported or "serves it",
        "iterations": facts.run.iterations if facts.run else None,
        "evaluations": {str(place): _figures(found) for place, found in facts.evaluations.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _facts_table(facts: Facts) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in architecture(facts.folder.config):
        table.add_row(name, value)
    weights = facts.weights
    table.add_row(
        "weights",
        f"{facts.folder.weights_file.name}: {thousands(weights.values)} values in {weights.tensors} tensors, "
        f"{', '.join(weights.types)}, {weights.size_bytes / 2**20:.1f} MiB",
    )
    for name, digest in facts.sha256.items():
        table.add_row("sha256", Text.assemble(digest, (f"  {name}", "dim")))
    served = Text("serves it", "green") if facts.unsupported is None else Text(facts.unsupported, "yellow")
    table.add_row("native runtime", served)
    return table


def _class_table(facts: Facts) -> Table:
    table = _table("Classes", "class", "reported\nabove score")
    folder = facts.folder
    for class_id, (name, threshold) in enumerate(
        zip(folder.class_names, folder.score_thresholds, strict=True)
    ):
        table.add_row(Text(f"● {name}", style_of_class(class_id)), f"{threshold:.2f}")
    return table


def _figures_table(evaluation: Evaluation, place: str) -> Table:
    table = _table(f"Figures on {evaluation.data}, {evaluation.frames:,} frames ({place})", "figure", "")
    for name, value in _figures(evaluation).items():
        table.add_row(name, "-" if value is None else f"{value:.3f}")
    return table


def _figures(evaluation: Evaluation) -> dict[str, float | None]:
    total = evaluation.total
    mill = total.mill
    return {
        "Dice": total.dice,
        "mask AP50": total.mask.ap50 if total.mask else None,
        "box AP50": total.box.ap50,
        "part of the defects found": mill.found / mill.defects if mill.defects else None,
        "false alarms a clean frame": mill.false_alarms_per_clean_frame,
    }


def _run_table(run: TrainingLog) -> Table:
    table = _table("Training", "of its run", "")
    table.add_row("iterations", f"{run.iterations:,}")
    if run.seconds_per_iteration is not None:
        table.add_row("pace", f"{run.seconds_per_iteration:.2f} s an iteration")
    for validation in run.validations:
        frames = f", {validation.frames:,} frames" if validation.frames is not None else ""
        best = validation.dice[validation.best]
        at = validation.iterations[validation.best]
        table.add_row(f"validated on {validation.name}{frames}", f"Dice {best:.4f} at {at:,}")
    return table


def _shown_card(facts: Facts, *, whole: bool) -> str:
    if facts.card is None:
        return f"*There is no card beside it ({CARD_FILE}) that tells what it has learned from.*"
    return facts.card if whole else "\n\n".join((*_sections(facts.card), _MORE))


def _sections(card: str) -> Iterator[str]:
    """What a card says of data and figures; some tell their data under training."""
    sections = {
        section.partition("\n")[0].removeprefix("## ").strip(): section.strip()
        for section in re.split(r"(?m)^(?=## )", card)
        if section.startswith("## ")
    }
    data = "Data" if "Data" in sections else "Training"
    for title in (data, *_SECTIONS):
        if title in sections:
            yield sections[title]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", vertical="bottom")
    return table
