"""Grafana's dashboards: the files are those of the code, and hold together. Prometheus judges the queries."""

import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from deploy.grafana.documents import documents, write
from tests.conftest import skip_or_fail
from tests.support.dashboards import (
    FOLDER,
    Json,
    Query,
    all_queries,
    load_dashboards,
    panels_of,
    queries_of,
)

DOCUMENT = FOLDER.parents[2] / "docs" / "metrics.md"
DASHBOARDS = load_dashboards()
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
WITHOUT_UNIT = {"alertlist", "text"}
COLUMNS = 24
GRAFANAS_OWN = {"__rate_interval", "__rate_interval_ms", "__range", "__range_s", "__interval_ms"}

# Metrics by name, with their labels, that are not the daemon's own: Prometheus' and the broker's.
FOREIGN = {
    "up": set[str](),
    "ALERTS": {"alertname", "alertstate", "line", "camera"},
    "kafka_controller_kafkacontroller_offlinepartitionscount": set[str](),
    "kafka_server_replicamanager_underreplicatedpartitions": set[str](),
    "kafka_server_brokertopicmetrics_bytesin_total": {"topic"},
    "kafka_server_brokertopicmetrics_bytesout_total": {"topic"},
    "kafka_server_brokertopicmetrics_messagesin_total": {"topic"},
    "kafka_log_log_size": {"topic", "partition"},
}

every_dashboard = pytest.mark.parametrize(("name", "dashboard"), DASHBOARDS.items(), ids=list(DASHBOARDS))


def known_labels() -> dict[str, set[str]]:
    """Labels by the name of every series that there is."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", re.MULTILINE)
    known = dict(FOREIGN)
    for name, kind, labels in row.findall(DOCUMENT.read_text()):
        own = set(re.findall(r"`(\w+)`", labels))
        known |= {
            f"{name}_{part}": own | {"le"} for part in ("bucket", "sum", "count") if kind == "histogram"
        }
        known |= {name: own}
    return {name: labels | {"job", "instance"} for name, labels in known.items()}


def metrics_in(expression: str) -> list[tuple[str, set[str]]]:
    """Every metric that an expression names, with the labels that select its series.

    A metric stands before a brace, or has an underscore and stands neither before a parenthesis nor among the
    labels of a ``by``.
    """
    plain = re.sub(r"by \([^)]*\)", "", re.sub(r"\{\{.*?\}\}", "", expression))
    selected = re.findall(r"(\w+)\{([^}]*)\}", plain)
    rest = re.sub(r"\w+\{[^}]*\}|\[[^\]]*\]|\$\w+", "", plain)
    bare = re.findall(r"\b([a-z]+(?:_[a-z]+)+)\b(?! ?\()", rest)
    labels = re.compile(r'(\w+)(?:=~|!~|!=|=)"')
    return [(name, set(labels.findall(inner))) for name, inner in selected] + [(name, set()) for name in bare]


def grouped_in(expression: str) -> set[str]:
    """Every label that an expression groups by."""
    return {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")}


def rectangle(panel: Json) -> tuple[int, int, int, int]:
    """Left, top, right and bottom on the grid; right and bottom are outside."""
    place = panel["gridPos"]
    return place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]


def overlap(one: Json, other: Json) -> bool:
    """Whether two panels share a cell of the grid."""
    left, top, right, bottom = rectangle(one)
    other_left, other_top, other_right, other_bottom = rectangle(other)
    return left < other_right and other_left < right and top < other_bottom and other_top < bottom


def with_rows(dashboard: Json) -> list[Json]:
    """Everything on the grid when all rows are unfolded."""
    return [*(panel for panel in dashboard["panels"] if panel["type"] == "row"), *panels_of(dashboard)]


def series_of(panel: Json) -> Json:
    """How a panel shows its series, where it shows any."""
    defaults: Json = panel.get("fieldConfig", {}).get("defaults", {})
    return defaults


def uids_in(dashboard: Json) -> set[str]:
    """The uid of every dashboard that this one links to, at its top and in its panels."""
    panels = list(panels_of(dashboard))
    of_series = (link for panel in panels for link in series_of(panel).get("links", []))
    urls = [link["url"] for link in (*dashboard["links"], *of_series)]
    assert all(url.startswith("/d/") for url in urls)
    return {re.split(r"[/?]", url)[2] for url in urls}


def test_the_files_are_those_of_the_code(tmp_path: Path) -> None:
    """`make dashboards` changes nothing: file by file and byte by byte, and none is left over."""
    write(tmp_path)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in FOLDER.iterdir()}


def test_writing_is_deterministic(tmp_path: Path) -> None:
    """Two runs give the same bytes, from dashboards built anew."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(tmp_path / "a")
    write(tmp_path / "b")
    for name in documents():
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@every_dashboard
def test_every_panel_explains_itself(name: str, dashboard: Json) -> None:
    """A panel has a title of its own, a description in sentences, a datasource and, with values, a unit."""
    titles = [panel["title"] for panel in panels_of(dashboard)]
    assert len(titles) == len(set(titles)), name
    for panel in panels_of(dashboard):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == DATASOURCE, panel["title"]
        if panel["type"] not in WITHOUT_UNIT:
            assert series_of(panel)["unit"], panel["title"]


@every_dashboard
def test_every_query_goes_to_the_provisioned_datasource(name: str, dashboard: Json) -> None:
    """Panels with values ask something; they, variables and annotations name the uid of provisioning."""
    for panel in panels_of(dashboard):
        assert ("targets" in panel) != (panel["type"] in WITHOUT_UNIT), (name, panel["title"])
        targets = panel.get("targets", [])
        assert all(target["datasource"] == DATASOURCE for target in targets)
        assert len({target["refId"] for target in targets}) == len(targets)
    for asking in (*dashboard["templating"]["list"], *dashboard["annotations"]["list"]):
        assert asking["datasource"] == DATASOURCE


@every_dashboard
def test_panels_fill_the_grid_without_overlap(name: str, dashboard: Json) -> None:
    """No two panels share a cell, none leaves the 24 columns, and each line of panels is full."""
    panels = with_rows(dashboard)
    for one, other in combinations(panels, 2):
        assert not overlap(one, other), (name, one["title"], other["title"])
    widths: dict[int, int] = {}
    for panel in panels:
        place = panel["gridPos"]
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {COLUMNS}, name


@every_dashboard
def test_panels_have_ids_of_their_own(name: str, dashboard: Json) -> None:
    """A link to one panel means that one."""
    ids = [panel["id"] for panel in with_rows(dashboard)]
    assert len(ids) == len(set(ids)), name
    assert 0 not in ids


@every_dashboard
def test_variables_in_use_are_defined(name: str, dashboard: Json) -> None:
    """Each `$name` is a variable of the dashboard or Grafana's own; line, camera and daemon can be chosen."""
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert defined == {"job", "instance", "line", "camera"}
    asked = [variable["query"]["query"] for variable in dashboard["templating"]["list"]]
    for text in (*asked, *(query.expression for query in queries_of(name, dashboard))):
        used = set(re.findall(r"\$\{?(\w+)", text))
        assert used <= defined | GRAFANAS_OWN, text


@every_dashboard
def test_exchanges_and_restarts_are_marked(name: str, dashboard: Json) -> None:
    """Every curve can be read against what was done to the daemon."""
    annotations = {annotation["name"]: annotation for annotation in dashboard["annotations"]["list"]}
    assert "stripsight_model_exchanges_total" in annotations["Model exchanges"]["expr"], name
    assert "process_start_time_seconds" in annotations["Restarts"]["expr"]
    assert all(annotation["enable"] and annotation["titleFormat"] for annotation in annotations.values())


def test_dashboards_link_to_each_other() -> None:
    """Uids are unique; each dashboard leads to all others, and no link leads nowhere."""
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]
    assert len(uids) == len(set(uids))
    for dashboard in DASHBOARDS.values():
        assert uids_in(dashboard) | {dashboard["uid"]} == set(uids)
        assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: f"{query.dashboard}-{query.place}")
def test_queries_name_metrics_and_labels_that_exist(query: Query) -> None:
    """Each metric of a query is documented, and selected by labels that it has."""
    known = known_labels()
    metrics = metrics_in(query.expression)
    assert metrics, query.expression
    for metric, labels in metrics:
        assert metric in known, query.expression
        assert labels <= known[metric], (metric, labels - known[metric])
    there = set().union(*(known[metric] for metric, _ in metrics))
    assert grouped_in(query.expression) <= there, query.expression


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: f"{query.dashboard}-{query.place}")
def test_legends_name_labels_that_the_answer_has(query: Query) -> None:
    """Each label between braces is one that the query groups by or, where it groups by none, the metric's."""
    known = known_labels()
    there = grouped_in(query.expression) or known[metrics_in(query.expression)[0][0]]
    assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= there


def test_a_metric_is_recognized_in_every_form() -> None:
    """Selected, bare, in a range, beside functions and labels: the test above overlooks none."""
    rates = 'sum by (line_name) (rate(a_total{x="1", y=~"$z"}[$__range])) / scalar(max(b_size))'
    expression = f"{rates} or up{{}} or c_d > 0"
    assert metrics_in(expression) == [
        ("a_total", {"x", "y"}),
        ("up", set()),
        ("b_size", set()),
        ("c_d", set()),
    ]


def test_every_query_parses(tmp_path: Path) -> None:
    """Prometheus' own parser takes every expression, as Grafana would send it."""
    tool = shutil.which("promtool")
    if tool is None:
        skip_or_fail("prometheus", "promtool is not installed")
    rules = [
        {"record": f"query:number_{number}", "expr": query.substituted()}
        for number, query in enumerate(all_queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = subprocess.run([tool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout
