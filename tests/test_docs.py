"""Documentation that cannot rot: what it tells people to type exists."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import typer

from edge.cli import app
from edge.configuration import load_settings
from edge.errors import FrameError
from edge.settings import KafkaSettings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LARGEST_PICTURE_BYTES = 200_000
_COMMAND = re.compile(r"(?:\.venv/bin/)?stripsight ([a-z][^`|>#\n]*)")
_MAKE = re.compile(r"`?make ([a-z]+)(?: ARGS=\"([^\"]*)\")?")
_SETTINGS = re.compile(r"```toml\n(.*?)```(?:\n+```sh\n(.*?)```)?", re.DOTALL)
_VARIABLE = re.compile(r"export (STRIPSIGHT_\w+)='([^']*)'")
_LINK = re.compile(r"\]\((?!http)([^)#]+)\)")


def shown_commands() -> list[str]:
    """Every ``stripsight ...`` that stands in a code block or code span."""
    code = [
        match
        for document in DOCUMENTS
        for match in re.findall(r"```sh\n.*?```|`[^`\n]+`", document.read_text(), re.DOTALL)
    ]
    plain = {line for block in code for line in _COMMAND.findall(block)}
    of_demo = {f"demo {args}" for block in code for name, args in _MAKE.findall(block) if name == "demo"}
    return sorted(command.strip() for command in plain | of_demo)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A TOML file that a document shows, and the variables of the shell block right behind it."""

    name: str
    toml: str
    variables: dict[str, str]


def shown_settings() -> list[Snippet]:
    """Every TOML file of the documents."""
    return [
        Snippet(f"{document.stem}-{number}", toml, dict(_VARIABLE.findall(shell)))
        for document in DOCUMENTS
        for number, (toml, shell) in enumerate(_SETTINGS.findall(document.read_text()), start=1)
    ]


@pytest.mark.parametrize("command", shown_commands())
def test_a_command_that_is_shown_exists_with_its_options(command: str) -> None:
    """Each word that is a command, and each option, is known to the command line."""
    group = typer.main.get_command(app)
    words = shlex.split(command.replace("...", ""))
    while words and (commands := getattr(group, "commands", None)):
        assert words[0] in commands, f"no command {words[0]}"
        group = commands[words.pop(0)]
    known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {word for word in words if word.startswith("-")} - {"--help"}
    assert options <= known


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda picture: picture.name
)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    """What is committed beside the documents is seen in one of them, and loads at once."""
    assert picture.stat().st_size < LARGEST_PICTURE_BYTES
    assert any(f"images/{picture.name})" in document.read_text() for document in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    """A file or folder that is linked to is there."""
    dead = [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("document", ["contracts.md", "metrics.md"])
def test_every_reason_of_a_failed_frame_is_explained(document: str) -> None:
    """An operator who meets a reason in a record or on a graph finds it in the documents."""
    text = (ROOT / "docs" / document).read_text()
    assert {reason for reason in _reasons(FrameError) if f"`{reason}`" not in text} == set()


def _reasons(error: type[FrameError]) -> set[str]:
    return {error.reason}.union(*(_reasons(kind) for kind in error.__subclasses__()))


@pytest.mark.parametrize("snippet", shown_settings(), ids=lambda snippet: snippet.name)
def test_settings_that_are_shown_are_right(snippet: Snippet, tmp_path: Path) -> None:
    """A TOML file that is shown loads, with the variables that are shown behind it."""
    file = tmp_path / "stripsight.toml"
    file.write_text(snippet.toml)
    load_settings(file, {}, snippet.variables)


def test_every_way_to_connect_is_shown() -> None:
    """Each protocol and each mechanism stands in an example or a sentence of docs/security.md."""
    text = (ROOT / "docs" / "security.md").read_text()
    choices = [
        choice
        for setting in ("security_protocol", "sasl_mechanism")
        for choice in get_args(KafkaSettings.model_fields[setting].annotation)
    ]
    assert [choice for choice in choices if f'"{choice}"' not in text] == []


def test_make_targets_that_are_shown_exist() -> None:
    """``make demo`` and its like are in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {name for document in DOCUMENTS for name, _ in _MAKE.findall(document.read_text())}
    assert shown - {"sure"} <= targets


def shown_tests() -> list[str]:
    """Every test file that a document names."""
    texts = [document.read_text() for document in DOCUMENTS]
    return sorted({path for text in texts for path in re.findall(r"`(tests/[\w/]+\.py)`", text)})


@pytest.mark.parametrize("path", shown_tests())
def test_a_test_that_is_named_exists(path: str) -> None:
    """Whoever wants to see a promise kept finds the test."""
    assert (ROOT / path).is_file()
