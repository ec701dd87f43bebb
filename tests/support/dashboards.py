"""The dashboards as Grafana reads them, and every query in them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards"

# What Grafana puts in place of its variables: here all series, and the windows of a view of an hour. Longer
# names come first: they begin with others.
VALUES = {
    "$__rate_interval_ms": "60000",
    "$__rate_interval": "1m",
    "$__interval_ms": "15000",
    "$__range_s": "3600",
    "$__range": "1h",
    "$job": ".*",
    "$instance": ".*",
    "$line": ".*",
    "$camera": ".*",
}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and where it stands: dashboard, and title of the panel or annotation.

    ``legend`` names its series, or words its marks, by their labels between braces.
    """

    dashboard: str
    place: str
    expression: str
    legend: str

    def substituted(self) -> str:
        """Return the expression as Prometheus gets it."""
        expression = self.expression
        for variable, value in VALUES.items():
            expression = expression.replace(variable, value)
        return expression


def load_dashboards() -> dict[str, Json]:
    """Return every committed dashboard by file name."""
    return {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}


def panels_of(dashboard: Json) -> Iterator[Json]:
    """Every panel but the rows, those inside of folded rows, too."""
    for panel in dashboard["panels"]:
        yield from panel.get("panels", []) if panel["type"] == "row" else [panel]


def queries_of(name: str, dashboard: Json) -> Iterator[Query]:
    """Every expression of the dashboard's panels and annotations."""
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            yield Query(name, panel["title"], target["expr"], target["legendFormat"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(name, annotation["name"], annotation["expr"], annotation["titleFormat"])


def all_queries() -> list[Query]:
    """Every expression of every dashboard."""
    return [query for name, dashboard in load_dashboards().items() for query in queries_of(name, dashboard)]
