"""Documentation that cannot rot: what it tells people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from edge.cli import app
from edge.errors import FrameError

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_COMMAND = re.compile(r"(?:\.venv/bin/)?stripsight ([a-z][^`|>#\n]*)")
_MAKE = re.compile(r"`?make ([a-z]+)(?: ARGS=\"([^\"]*)\")?")
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


def test_make_targets_that_are_shown_exist() -> None:
    """``make demo`` and its like are in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {name for document in DOCUMENTS for name, _ in _MAKE.findall(document.read_text())}
    assert shown - {"sure"} <= targets
