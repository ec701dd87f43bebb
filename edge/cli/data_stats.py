"""``stripsight data stats``: what a labelled set is like."""

import sys
from typing import Annotated

import typer

from edge.cli.data_options import LabelledSet


def stats(
    data: LabelledSet,
    pictures: Annotated[
        int, typer.Option(help="Measure the grey levels of so many pictures, spread over the set.", min=0)
    ] = 200,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output, instead of tables.")
    ] = False,
) -> None:
    """Show how often classes occur, alone and together, how large defects are and where, and the grey levels.

    Labels are counted over all frames. Sizes are in pixels; three numbers in a cell are the 5th percentile,
    the median and the 95th percentile.
    """
    import msgspec
    from rich.console import Console

    from edge.cli.data_progress import progress_bar
    from edge.cli.data_tables import tables_of
    from edge.training.data import open_dataset
    from edge.training.data.statistics import describe

    dataset = open_dataset(data)
    with progress_bar("measuring") as update:
        statistics = describe(dataset, pictures, update)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(statistics), indent=2) + b"\n")
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for table in tables_of(statistics):
        console.print(table)
