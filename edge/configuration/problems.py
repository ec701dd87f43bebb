"""Wrong settings, in the operator's words."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edge.configuration import catalogue
from edge.configuration.given import Given
from edge.configuration.names import SettingPath, dotted, name_beside
from edge.errors import SettingsError
from edge.settings import MASK

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: which, from where, and what is wrong with it."""

    path: SettingPath
    origin: str
    complaint: str

    def __str__(self) -> str:
        return f"{dotted(self.path)} ({self.origin}): {self.complaint}"


def settings_error(problems: Sequence[Problem]) -> SettingsError:
    """Say all problems in one error, a line each."""
    lines = sorted(str(problem) for problem in problems)
    count = f"{len(lines)} settings are" if len(lines) > 1 else "1 setting is"
    return SettingsError("\n".join([f"{count} wrong:", *(f"  {line}" for line in lines)]))


def problems_of(error: ValidationError, givens: Mapping[SettingPath, Given]) -> Iterator[Problem]:
    """Translate pydantic's findings; ``givens`` are the settings that count, by path."""
    for detail in error.errors(include_url=False):
        yield from _problems_of(detail, givens)


def _problems_of(detail: ErrorDetails, givens: Mapping[SettingPath, Given]) -> Iterator[Problem]:
    place = tuple(part for part in detail["loc"] if part != "[key]")
    path = tuple(str(part) for part in place)
    if detail["type"] == "extra_forbidden":
        yield from _unknown(path, givens)
    elif catalogue.is_table(catalogue.node_of(place) or {}) and detail["type"] == "value_error":
        yield Problem(path, _origins_of_named(path, detail["msg"], givens), _message(detail))
    elif "[key]" in detail["loc"]:
        yield Problem(path, _origin(path, givens), f"this name is not allowed: {_message(detail)}")
    else:
        yield Problem(path, _origin(path, givens), _not_allowed(detail, place))


def _not_allowed(detail: ErrorDetails, place: tuple[str | int, ...]) -> str:
    value = MASK if catalogue.holds_secret(place) else shown(detail["input"])
    if detail["type"] == "value_error":
        return f"{value} is not allowed: {_message(detail)}"
    return f"{value} is not allowed; allowed: {catalogue.allowed(place) or _message(detail)}"


def _unknown(path: SettingPath, givens: Mapping[SettingPath, Given]) -> Iterator[Problem]:
    # The value is not shown: it may be the password of a setting misspelled.
    beneath = [given for given in givens.values() if given.path[: len(path)] == path]
    for given in beneath or [Given(path, None, _origin(path, givens))]:
        meant = catalogue.suggestion(given.path)
        hint = f"; did you mean {name_beside(meant, given.origin)}?" if meant else ""
        yield Problem(given.path, given.origin, f"there is no such setting{hint}")


def _origin(path: SettingPath, givens: Mapping[SettingPath, Given]) -> str:
    for end in range(len(path), 0, -1):
        if given := givens.get(path[:end]):
            return given.origin
    return "default"


def _origins_of_named(section: SettingPath, message: str, givens: Mapping[SettingPath, Given]) -> str:
    """Where the settings come from that a complaint about their whole section speaks of."""
    named = [givens.get((*section, word)) for word in re.findall(r"\w+", message)]
    return ", ".join(dict.fromkeys(given.origin for given in named if given)) or "default"


def _message(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def shown(value: Any) -> str:
    """Show a value as TOML and JSON spell it, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
