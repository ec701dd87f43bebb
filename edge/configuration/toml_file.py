"""Settings from the TOML file, each with its line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.configuration.given import Given, leaves
from edge.configuration.names import SettingPath
from edge.errors import SettingsError

DEFAULT_FILE = Path("stripsight.toml")


def read_file(file: Path | None) -> list[Given]:
    """Read the file; without one, ``stripsight.toml`` of the working directory if it is there.

    Raises:
        SettingsError: the file is missing, unreadable or no TOML; the message names it.
    """
    if file is None:
        if not DEFAULT_FILE.is_file():
            return []
        file = DEFAULT_FILE
    text = _text_of(file)
    lines = _line_of_path(text)
    return [Given(path, value, _origin(file, lines, path)) for path, value in leaves(_parsed(file, text))]


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"settings file {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {file}: not UTF-8 text: {error.reason}") from None


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {file}: not valid TOML: {error}") from None


def _origin(file: Path, lines: dict[SettingPath, int], path: SettingPath) -> str:
    for end in range(len(path), 0, -1):
        if line := lines.get(path[:end]):
            return f"{file} line {line}"
    return str(file)


def _line_of_path(text: str) -> dict[SettingPath, int]:
    """Find the line of each table and key by reading every line for itself.

    What stands within a multi-line value may be taken for a key, too; the first line of a name counts.
    """
    lines: dict[SettingPath, int] = {}
    table: SettingPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        is_header = line.lstrip().startswith("[")
        for path in _paths(line if is_header else line.partition("=")[0] + "= 0"):
            if is_header:
                table = path
            lines.setdefault(path if is_header else (*table, *path), number)
    return lines


def _paths(line: str) -> Iterator[SettingPath]:
    try:
        yield from (path for path, _ in leaves(tomllib.loads(line)))
    except tomllib.TOMLDecodeError:
        return
