"""What settings there are, told from the JSON Schema of the settings tree."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edge.configuration.names import SettingPath, dotted
from edge.settings import Settings

Schema = dict[str, Any]

SCHEMA: Schema = Settings.model_json_schema()


def node_of(path: Sequence[str | int]) -> Schema | None:
    """Return the schema of a section or setting; None where there is none of that name."""
    node: Schema | None = _resolved(SCHEMA)
    for part in path:
        node = _child(node, part)
        if node is None:
            return None
    return node


def is_table(node: Schema) -> bool:
    """Whether this is a section, and not a single setting."""
    return node.get("type") == "object"


def has_free_keys(node: Schema) -> bool:
    """Whether the keys of this table are the operator's own, as camera ids are."""
    return isinstance(node.get("additionalProperties"), dict)


def holds_secret(path: Sequence[str | int]) -> bool:
    """Whether a value given for ``path`` may hold a secret: what is not known is taken for one."""
    node = node_of(path)
    return node is None or _holds_secret(node)


def allowed(path: Sequence[str | int]) -> str | None:
    """Say in words what a setting may be; None where its schema tells nothing."""
    node = node_of(path)
    return None if node is None else _in_words(node)


def suggestion(path: SettingPath) -> SettingPath | None:
    """Return the setting that was probably meant by an unknown one."""
    names = {dotted(known): known for known in _settings_beside(path)}
    same_leaf = [known for known in names.values() if known[-1] == path[-1]]
    if len(same_leaf) == 1:
        return same_leaf[0]
    close = difflib.get_close_matches(dotted(path), names, n=1)
    return names[close[0]] if close else None


def _settings_beside(path: SettingPath) -> Iterator[SettingPath]:
    """All settings there are, for the camera that the path speaks of if it speaks of one."""
    camera = path[1] if len(path) > 1 else "<id>"
    yield from _settings_under(_resolved(SCHEMA), (), camera)


def _settings_under(node: Schema, prefix: SettingPath, camera: str) -> Iterator[SettingPath]:
    keys = [camera] if has_free_keys(node) else list(node.get("properties", ()))
    for key in keys:
        child = _child(node, key)
        if child is not None and is_table(child):
            yield from _settings_under(child, (*prefix, key), camera)
        else:
            yield (*prefix, key)


def _child(node: Schema | None, part: str | int) -> Schema | None:
    if node is None:
        return None
    if isinstance(part, int):
        child = node.get("items")
    else:
        child = node.get("properties", {}).get(part)
        if child is None and has_free_keys(node):
            child = node["additionalProperties"]
    return None if child is None else _resolved(child)


def _resolved(node: Schema) -> Schema:
    """Follow a reference, and look through "or null"."""
    if "$ref" in node:
        return _resolved(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    if "anyOf" in node:
        return _resolved(next(branch for branch in node["anyOf"] if branch.get("type") != "null"))
    return node


def _holds_secret(node: Schema) -> bool:
    if is_table(node):
        parts: list[str | int] = ["<id>"] if has_free_keys(node) else list(node.get("properties", ()))
        return any(_holds_secret(child) for part in parts if (child := _child(node, part)) is not None)
    return bool(node.get("writeOnly"))


def _in_words(node: Schema) -> str | None:
    if "enum" in node:
        return "one of " + ", ".join(str(choice) for choice in node["enum"])
    phrase = _PHRASES.get(str(node.get("type")))
    return phrase(node) if phrase else None


def _list(node: Schema) -> str:
    items = _in_words(_resolved(node.get("items", {})))
    return f"a list, each {items}" if items else "a list"


def _range(node: Schema) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    above = node.get("exclusiveMinimum")
    if above is not None:
        return f" greater than {above}" + (f" and at most {high}" if high is not None else "")
    return ""


def _text(node: Schema) -> str:
    if "pattern" in node:
        return f"text that matches {node['pattern']}"
    shortest, longest = node.get("minLength"), node.get("maxLength")
    if longest is not None:
        return f"text of {shortest or 0} to {longest} characters"
    if shortest:
        return "text that is not empty"
    return {"path": "a path", "regex": "a regular expression"}.get(str(node.get("format")), "text")


_PHRASES: dict[str, Callable[[Schema], str]] = {
    "integer": lambda node: "a whole number" + _range(node),
    "number": lambda node: "a number" + _range(node),
    "boolean": lambda _: "true or false",
    "string": _text,
    "array": _list,
    "object": lambda _: "a table of settings",
}
