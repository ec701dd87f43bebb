"""``stripsight model show``: what a model folder holds."""

from pathlib import Path
from typing import Annotated

import typer


def show(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Model folder, or a run's; default: the bundled model.",
            metavar="[DIR]",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="The whole model card, README.md, as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, without the card.")] = False,
) -> None:
    """Show architecture, classes and thresholds, weights and their hash, training data and figures.

    What the model has learned from, and how good it is, is told by what lies beside it: the log of the run
    that made it, evaluations of this very version (`evaluation.json`), and its card (`README.md`).
    """
    from edge.cli.model_facts import gather
    from edge.cli.model_page import as_document, print_page
    from edge.vision.runtime import BUNDLED_MODEL

    facts = gather(folder or BUNDLED_MODEL)
    if as_json:
        typer.echo(as_document(facts))
    else:
        print_page(facts, whole_card=card)
