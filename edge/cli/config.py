"""``stripsight config``: which settings count, whether they are right, and which there are."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from edge.configuration import load, load_settings
from edge.configuration.catalogue import SCHEMA
from edge.configuration.effective import effective_toml
from edge.errors import SettingsError

WRONG_SETTINGS = 2  # exit code, the same as of every command that wrong settings keep from starting

app = typer.Typer(name="config", help="Show, check and describe the settings.", no_args_is_help=True)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML file; default: stripsight.toml, if it is there."),
]


@app.command()
def show(
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, without the sources.")] = False,
) -> None:
    """Print the settings that count, and where each was given. Secrets are masked."""
    loaded = load(config, {})
    if as_json:
        _print_json(loaded.settings.model_dump(mode="json"))
    else:
        _print_code(effective_toml(loaded), "toml")


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say whether the settings are right: every wrong one by name, its source and what is allowed.

    The exit code is 0, or 2 if a setting is wrong.
    """
    try:
        load_settings(config, {})
    except SettingsError as error:
        Console(stderr=True).print(_explained(str(error)), soft_wrap=True)
        raise typer.Exit(WRONG_SETTINGS) from None
    Console().print("[green]ok[/]")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the settings, for editors and for checks of a deployment."""
    _print_json(SCHEMA)


def _print_json(document: dict[str, Any]) -> None:
    _print_code(json.dumps(document, indent=2, ensure_ascii=False), "json")


def _print_code(text: str, language: str) -> None:
    """Colours on a terminal, the bare text elsewhere; never folded, since it is to be copied and parsed."""
    highlighter = Syntax("", language, theme="ansi_dark", background_color="default")
    highlighted = highlighter.highlight(text)
    highlighted.rstrip()
    Console().print(highlighted, soft_wrap=True)


def _explained(message: str) -> Text:
    text = Text(message)
    text.highlight_regex(r"\A.*", "bold red")
    text.highlight_regex(r"(?m)^  \S+ (?=\()", "bold")
    text.highlight_regex(r"(?<= )\([^)]*\)(?=:)", "cyan")
    text.highlight_regex(r"did you mean [^?]+\?", "green")
    text.highlight_regex(r"(?<=; )allowed: .*", "green")
    return text
