"""``stripsight model``: a model folder is looked at, its weights are converted, two are compared.

One file a subcommand; each imports what it runs when it runs it.
"""

import typer

from edge.cli import model_compare, model_convert, model_show

app = typer.Typer(name="model", help="Show, convert and compare models.", no_args_is_help=True)
app.command()(model_show.show)
app.command()(model_convert.convert)
app.command()(model_compare.compare)
