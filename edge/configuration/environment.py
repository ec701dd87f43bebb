"""Settings from environment variables; how they are spelled is told at the top of the package."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edge.configuration import catalogue
from edge.configuration.given import Given, leaves
from edge.configuration.names import DELIMITER, ENVIRONMENT, PREFIX, SettingPath
from edge.configuration.problems import Problem

_NOT_SETTINGS = "STRIPSIGHT_TEST_"

# Kubernetes describes a service called "stripsight..." to every container, in STRIPSIGHT_SERVICE_HOST,
# STRIPSIGHT_PORT=tcp://10.0.0.1:9108, STRIPSIGHT_PORT_9108_TCP_ADDR and the like.
_KUBERNETES_SERVICE = re.compile(
    r"STRIPSIGHT_([A-Z0-9]+_)*(SERVICE_(HOST|PORT(_[A-Z0-9]+)*)|PORT_\d+_[A-Z]+(_[A-Z]+)?)"
)


def read_environment(environ: Mapping[str, str]) -> tuple[list[Given], list[Problem]]:
    """Read every variable with the prefix; what is not JSON where JSON is due is a problem.

    Of a section as JSON and a single setting beneath it, the single one counts.
    """
    givens: list[Given] = []
    problems: list[Problem] = []
    for variable in sorted(_variables(environ), key=lambda name: (name.count(DELIMITER), name)):
        path = _path(variable.removeprefix(PREFIX))
        origin = f"{ENVIRONMENT} {variable}"
        try:
            value = _parsed(path, environ[variable])
        except json.JSONDecodeError as error:
            complaint = f"is not valid JSON: {error.msg} (character {error.pos + 1})"
            problems.append(Problem(path, origin, complaint))
        else:
            givens += _flattened(path, value, origin)
    return givens, problems


def _variables(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name.startswith(PREFIX) and not name.startswith(_NOT_SETTINGS) and not _is_kubernetes(name, value):
            yield name


def _is_kubernetes(name: str, value: str) -> bool:
    # STRIPSIGHT_HTTP_PORT=9108 is a mistaken STRIPSIGHT_HTTP__PORT and no link, which would be a URL.
    is_link = name.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", value)
    return bool(is_link or _KUBERNETES_SERVICE.fullmatch(name))


def _path(name: str) -> SettingPath:
    """Fold the case of what is ours, and keep the operator's own keys as they are."""
    path: SettingPath = ()
    for part in name.split(DELIMITER):
        table = catalogue.node_of(path)
        is_own_key = table is not None and catalogue.has_free_keys(table)
        path = (*path, part if is_own_key else part.lower())
    return path


def _parsed(path: SettingPath, text: str) -> Any:
    node = catalogue.node_of(path) or {}
    if catalogue.is_table(node):
        return json.loads(text)
    if node.get("type") == "array":
        if text.lstrip().startswith("["):
            return json.loads(text)
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _flattened(path: SettingPath, value: Any, origin: str) -> list[Given]:
    if isinstance(value, dict) and value:
        return [Given(leaf, item, origin) for leaf, item in leaves(value, path)]
    return [Given(path, value, origin)]
