"""Alerts and the rules below them: taken by Prometheus' own tools, and tried out both ways."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from tests.support.alertmanager import Alertmanager
from tests.support.prometheus import tool
from tests.support.rules import PROMETHEUS, RULE_FILES, Rule, Selector, alerts, load_rules, selectors

ROOT = PROMETHEUS.parents[1]
RUNBOOKS = "docs/runbooks.md"
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"

of_each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)


def run(*command: str | Path) -> str:
    """Run one of the tools; returns what it says, and fails with that if it is not content."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def known_labels() -> dict[str, set[str]]:
    """Labels by metric, as docs/metrics.md tells them: another test holds it to the code."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", re.MULTILINE)
    known: dict[str, set[str]] = {"up": set()}
    for name, kind, labels in row.findall((ROOT / "docs" / "metrics.md").read_text()):
        own = set(re.findall(r"`(\w+)`", labels))
        parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        known |= {name + part: own for part in parts}
    return {name: labels | {"job", "instance"} for name, labels in known.items()}


def tried() -> dict[str, set[bool]]:
    """By alert, whether some case expects it to fire, and some other not to."""
    outcomes: dict[str, set[bool]] = defaultdict(set)
    for file in CASES:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                outcomes[case["alertname"]].add(bool(case["exp_alerts"]))
    return outcomes


def test_prometheus_takes_the_rules() -> None:
    """``promtool check rules`` finds each of them, and nothing to blame."""
    said = run(tool("promtool"), "check", "rules", *RULE_FILES)
    assert sum(int(count) for count in re.findall(r"(\d+) rules found", said)) == len(load_rules())


def test_prometheus_takes_the_configuration(tmp_path: Path) -> None:
    """``promtool check config`` takes each configuration; rules load in one even where there is none yet."""
    ours = tmp_path / "prometheus.yml"
    ours.write_text(yaml.safe_dump({"rule_files": [str(file) for file in RULE_FILES]}))
    for config in (ours, *sorted(PROMETHEUS.glob("*.yml"))):
        assert "FAILED" not in run(tool("promtool"), "check", "config", config)


def test_alertmanager_takes_the_configuration() -> None:
    """``amtool check-config`` takes it as it is committed: without a secret, and without a receiver."""
    assert "1 receivers" in run(tool("amtool"), "check-config", ALERTMANAGER)


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_every_severity_has_a_route(severity: str) -> None:
    """Whoever fills in receivers finds one place for each."""
    answer = run(
        tool("amtool"), "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}"
    )
    assert answer.splitlines()[0] == "nobody"


async def test_a_second_critical_alert_does_not_wait_for_the_first_ones_group(tmp_path: Path) -> None:
    """Alertmanager puts each critical alert into a message of its own, and warnings of a line into one."""
    told = [
        {"alertname": "StripsightFramesLost", "severity": "critical", "topic": "frames.top"},
        {"alertname": "StripsightFramesLost", "severity": "critical", "topic": "frames.bottom"},
        {"alertname": "StripsightDown", "severity": "critical", "instance": "edge-1:9108"},
        {"alertname": "StripsightFramesSkipped", "severity": "warning", "line": "l", "camera": "top"},
        {"alertname": "StripsightDefectRateJump", "severity": "warning", "line": "l"},
    ]
    async with Alertmanager(tmp_path, config=ALERTMANAGER) as alertmanager:
        await alertmanager.tell(told)
        groups = await alertmanager.groups(of=len(told))
    assert sorted(groups) == [
        ["StripsightDefectRateJump", "StripsightFramesSkipped"],
        ["StripsightDown"],
        ["StripsightFramesLost"],
        ["StripsightFramesLost"],
    ]


def test_alertmanager_names_alerts_that_exist() -> None:
    """An inhibition for an alert that was renamed would inhibit nothing."""
    named = set(re.findall(r'alertname !?= "(\w+)"', ALERTMANAGER.read_text()))
    assert named
    assert named <= {alert.name for alert in alerts()}


@pytest.mark.parametrize("cases", CASES, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(cases: Path) -> None:
    """``promtool test rules``: each case, with the words that the alert is told in."""
    assert "SUCCESS" in run(tool("promtool"), "test", "rules", cases)


@of_each_alert
def test_every_alert_is_tried_both_ways(alert: Rule) -> None:
    """There is a case in which it fires, and one in which it does not."""
    assert tried()[alert.name] == {True, False}


@of_each_alert
def test_every_alert_says_what_is_wrong_and_what_to_do(alert: Rule) -> None:
    """It has a severity, a summary, a sentence with what it is about, and its own page in the runbooks."""
    assert alert.labels["severity"] in {"critical", "warning", "info"}
    assert set(alert.annotations) == {"summary", "description", "runbook"}
    assert alert.annotations["description"].endswith(".")
    assert alert.annotations["runbook"] == f"{RUNBOOKS}#{alert.name.lower()}"


def test_runbooks_have_a_page_for_every_alert_and_no_other() -> None:
    """In the order of the file, each with its meaning, what to look at and what to do."""
    pages = re.split(r"^## ", (ROOT / RUNBOOKS).read_text(), flags=re.MULTILINE)[1:]
    assert {page.split("\n", 1)[0] for page in pages} == {alert.name for alert in alerts()}
    for page in pages:
        assert all(f"**{part}.**" in page for part in ("Means", "Look at", "Do")), page


def test_what_alertmanager_and_runbooks_ask_for_exists() -> None:
    """Each query that a runbook shows asks for metrics that there are."""
    queries = re.findall(r"```promql\n(.*?)```", (ROOT / RUNBOOKS).read_text(), re.DOTALL)
    assert queries
    known = set(known_labels()) | {rule.name for rule in load_rules()}
    asked = {
        selector.metric
        for query in queries
        for line in query.splitlines()
        for selector in selectors(line.split(" # ")[0])
    }
    assert asked <= known


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.name)
def test_rules_ask_for_what_there_is(rule: Rule) -> None:
    """Each metric is one of the daemon's with labels that it has, or is recorded by a rule."""
    known, recorded = known_labels(), {other.name for other in load_rules() if not other.is_alert}
    asked = selectors(rule.expression)
    assert asked
    for selector in asked:
        assert selector.metric in recorded or selector.labels <= known[selector.metric], selector


def test_what_is_recorded_is_used() -> None:
    """Every recording rule serves an alert, a dashboard, a runbook or another rule."""
    dashboards = [file.read_text() for file in (ROOT / "deploy").glob("grafana/dashboards/*.json")]
    texts = [rule.expression for rule in load_rules()] + dashboards + [(ROOT / RUNBOOKS).read_text()]
    unused = [
        rule.name
        for rule in load_rules()
        if not rule.is_alert and not any(rule.name in text for text in texts)
    ]
    assert unused == []


def test_a_metric_is_found_wherever_it_stands() -> None:
    """Bare, selected, in a range, behind an offset, beside labels, functions and keywords."""
    expression = (
        'sum by (line_x) (rate(a_total{b="c", d=~"e"}[5m])) / on (f) group_left max without (g) (h:i > 1e9) '
        "and on () (up == bool 1 unless j_k offset 10m) or histogram_quantile(0.9, l[3h:1m])"
    )
    assert selectors(expression) == {
        Selector("a_total", '{b="c", d=~"e"}'),
        *(Selector(name, "") for name in ("h:i", "up", "j_k", "l")),
    }
    assert Selector("a_total", '{b="c", d=~"e"}').labels == {"b", "d"}
