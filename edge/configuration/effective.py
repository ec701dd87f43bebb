"""The settings that count in the end, as TOML that tells where each was given."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edge.configuration.loader import LoadedSettings
from edge.configuration.names import SettingPath

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DELETE = "\x7f"  # the one control character that JSON leaves as it is and TOML does not allow


def effective_toml(loaded: LoadedSettings) -> str:
    """Return the settings as TOML, secrets masked; what is not set stands there as a comment."""
    values = loaded.settings.model_dump(mode="json")
    return "\n".join(_table((), values, loaded.origins)).strip() + "\n"


def _table(path: SettingPath, values: Mapping[str, Any], origins: Mapping[SettingPath, str]) -> Iterator[str]:
    own = {name: value for name, value in values.items() if not isinstance(value, dict)}
    if path and own:
        yield ""
        yield f"[{'.'.join(_key(part) for part in path)}]"
    yield from _settings(path, own, origins)
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _table((*path, name), value, origins)


def _settings(
    path: SettingPath, values: Mapping[str, Any], origins: Mapping[SettingPath, str]
) -> Iterator[str]:
    lines = {name: _line(name, value) for name, value in values.items()}
    width = max((len(line) for name, line in lines.items() if (*path, name) in origins), default=0)
    for name, line in lines.items():
        origin = origins.get((*path, name))
        yield f"{line:<{width}}  # {origin}" if origin else line


def _line(name: str, value: Any) -> str:
    return f"# {_key(name)} is not set" if value is None else f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """TOML's text, numbers, truth values and lists are spelled as JSON's."""
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, r"\u007f")
