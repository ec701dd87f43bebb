"""``stripsight data``: labelled frames to train on."""

import typer

from edge.cli import data_synthesize

app = typer.Typer(name="data", help="Make and look at labelled frames to train on.", no_args_is_help=True)
app.command()(data_synthesize.synthesize)
