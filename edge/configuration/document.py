"""The table of settings in docs/settings.md: ``python -m edge.configuration.document docs/settings.md``."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.configuration.catalogue import Schema, allowed, has_free_keys, is_table, node_of
from edge.configuration.names import SettingPath, dotted

START, END = "<!-- settings -->", "<!-- end of settings -->"
_CAMERA = "<id>"


def with_table(document: str) -> str:
    """Return the document with the table between its markers made anew."""
    before, _, rest = document.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{table()}\n\n{END}{after}"


def table() -> str:
    """Return a Markdown table: a line a setting, with default, what is allowed, and what it is for."""
    return "\n".join(["| setting | default | allowed | meaning |", "|---|---|---|---|", *_rows(())])


def _rows(path: SettingPath) -> Iterator[str]:
    node = node_of(path) or {}
    settings: dict[str, Schema] = {_CAMERA: {}} if has_free_keys(node) else node.get("properties", {})
    for name, setting in settings.items():
        inner = (*path, name)
        if is_table(node_of(inner) or {}):
            yield from _rows(inner)
        else:
            yield _row(inner, setting)


def _row(path: SettingPath, node: Schema) -> str:
    default = node.get("default")
    shown = "" if default is None else f"`{json.dumps(default)}`"
    cells = [f"`{dotted(path)}`", shown, allowed(path) or "", node.get("description", "")]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text()))
