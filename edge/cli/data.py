"""``stripsight data``: labelled sets are made, checked, counted, split and looked at.

One file a subcommand; each imports what it runs when it runs it.
"""

import typer

from edge.cli import data_check, data_preview, data_split, data_stats, data_synthesize

app = typer.Typer(
    name="data", help="Make, check, count, split and look at labelled frames.", no_args_is_help=True
)
app.command()(data_check.check)
app.command()(data_stats.stats)
app.command()(data_split.split)
app.command()(data_preview.preview)
app.command()(data_synthesize.synthesize)
