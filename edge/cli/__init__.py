"""``stripsight``: the command line.

One file a command. Commands import what they run when they run it: ``stripsight --help`` answers at once and
does not wait for torch.
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from edge import __version__
from edge.cli import (
    camera,
    config,
    data,
    demo,
    evaluate,
    export,
    inspect,
    model,
    package,
    report,
    run,
    serve,
    submit,
    train,
    watch,
)
from edge.cli.ending import end
from edge.errors import ConfigurationError, StripsightError

app = typer.Typer(
    name="stripsight",
    help="Inspects rolled steel strip beside the line: camera frames in from Kafka, defects in mm out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(run.run)
app.command()(serve.serve)
app.command(name="inspect")(inspect.inspect)
app.command()(evaluate.evaluate)
app.command()(export.export)
app.command()(report.report)
app.command()(submit.submit)
app.command()(watch.watch)
app.command()(train.train)
app.add_typer(camera.app)
app.add_typer(config.app)
app.add_typer(data.app)
app.add_typer(model.app)
app.add_typer(package.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"stripsight {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; what the operator can mend is one clear message, without a traceback."""
    try:
        app()
    except StripsightError as error:
        Console(stderr=True).print(
            f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        end(2 if isinstance(error, ConfigurationError) else 1)
    except SystemExit as error:
        end(error.code if isinstance(error.code, int) else int(error.code is not None))
