"""``stripsight report``: data, training and evaluation on one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigurationError

# What the charts and the page are made with; no part of a plain installation.
_EXTRA = {"matplotlib", "jinja2", "markupsafe"}


def report(
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled frames: a folder of Severstal's format, or COCO json; those that were evaluated.",
            exists=True,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The page to write.", metavar="FILE.html", dir_okay=False)],
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of `stripsight train`: adds the curves.", exists=True, file_okay=False),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `stripsight evaluate`: adds figures, graphs, best and worst frames.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Draw data, training and evaluation as one HTML file that loads nothing: to read, to mail, to print.

    What was not given is left out, and the page says how to get it.
    """
    from rich.console import Console
    from rich.text import Text

    from consumers.output import writing_into

    console = Console(stderr=True)
    with writing_into(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with console.status("drawing the report ..."):
        page = _page(data, run, evaluation).encode()
    with writing_into(out):
        out.write_bytes(page)
    console.print(Text.assemble("wrote ", (str(out), "bold"), f", {len(page) / 1e6:.1f} MB"), soft_wrap=True)


def _page(data: Path, run: Path | None, evaluation: Path | None) -> str:
    try:
        from edge.training.report.gather import gather
        from edge.training.report.page import render
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ConfigurationError(
            f"the report needs {error.name}: pip install 'stripsight[training]' brings it"
        ) from error
    from edge.training.data import open_dataset

    return render(gather(open_dataset(data), run, evaluation))
