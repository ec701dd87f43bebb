"""Prometheus' rules as they are committed, and what their expressions ask for."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))

# Words of PromQL that stand where a metric could; functions are told by their parenthesis.
_KEYWORDS = {"and", "or", "unless", "offset", "bool", "group_left", "group_right", "inf", "nan"}
_NO_METRICS = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\[[^\]]*\]", re.IGNORECASE
)
_SELECTOR = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\b(\{[^}]*\})?(?!\s*\()")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


class Selector(NamedTuple):
    """A metric that an expression asks for, and the matchers behind it, as they are written."""

    metric: str
    matchers: str

    @property
    def labels(self) -> set[str]:
        """The labels that select its series."""
        return set(_MATCHER.findall(self.matchers))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that records, or an alert; ``name`` is that of the series or of the alert."""

    name: str
    expression: str
    is_alert: bool
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


def selectors(expression: str) -> set[Selector]:
    """Return every metric that an expression asks for."""
    plain = _NO_METRICS.sub(" ", expression)
    return {
        Selector(name, matchers)
        for name, matchers in _SELECTOR.findall(plain)
        if name.lower() not in _KEYWORDS
    }


def load_rules() -> list[Rule]:
    """Return every rule of every file, in order."""
    documents = [yaml.safe_load(file.read_text()) for file in RULE_FILES]
    return [_rule(rule) for document in documents for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[Rule]:
    """Return every alert."""
    return [rule for rule in load_rules() if rule.is_alert]


def _rule(rule: dict[str, Any]) -> Rule:
    return Rule(
        rule.get("alert") or rule["record"],
        rule["expr"],
        "alert" in rule,
        rule.get("labels", {}),
        rule.get("annotations", {}),
    )
