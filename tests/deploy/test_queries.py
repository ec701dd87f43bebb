"""Every query is true: a real Prometheus scrapes a daemon that inspects frames, and answers each of them."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.daemon import Daemon
from edge.settings import PipelineSettings, Settings
from tests.support.line import frame, line_settings, picture, running
from tests.support.prometheus import Prometheus, tool
from tests.support.rules import PROMETHEUS, RULE_FILES, load_rules, selectors

DASHBOARDS = PROMETHEUS.parent / "grafana" / "dashboards"
DEADLINE_S = 60.0  # on a busy machine; 5 s suffice on an idle one

TOO_OLD_S = 600.0

# What Grafana puts in place of its variables: every series, and windows as for a view of an hour.
TIMES = {
    "__rate_interval": "1m",
    "__rate_interval_ms": "60000",
    "__interval": "15s",
    "__interval_ms": "15000",
    "__range": "1h",
    "__range_s": "3600",
}

# Queries that find nothing here, and why; they must be understood all the same.
WITHOUT_DATA = {
    r"stripsight_device_": "there is no GPU",
    r"offset ?10m": "it asks for what was ten minutes ago",
    r"\bkafka_": "the broker's own metrics come from its JMX agent",
}


def dashboard_queries() -> Iterator[str]:
    """Every expression of every dashboard, its variables filled in."""
    files = sorted(DASHBOARDS.glob("*.json"))
    assert files, f"no dashboards in {DASHBOARDS}"
    for file in files:
        for expression in _expressions(json.loads(file.read_text())):
            yield _filled_in(expression)


def _expressions(node: Any) -> Iterator[str]:
    """Every ``expr`` of panels and annotations, and the metric that a variable takes its values from."""
    if isinstance(node, list):
        for child in node:
            yield from _expressions(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "expr" and isinstance(child, str) and child:
                yield child
            elif key == "query" and isinstance(child, str):
                yield from re.findall(r"^label_values\((.+), ?\w+\)$", child)
            else:
                yield from _expressions(child)


def _filled_in(expression: str) -> str:
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda match: TIMES.get(match[1], ".*"), expression)


def all_queries() -> list[str]:
    """What must have data: dashboards, recording rules, and each metric that an alert asks for.

    An alert itself has data only when it fires: promtool's cases show that.
    """
    queries = set(dashboard_queries())
    for rule in load_rules():
        asked = ["".join(selector) for selector in selectors(rule.expression)]
        queries |= {*asked, rule.name, rule.expression} if not rule.is_alert else set(asked)
    return sorted(queries)


@asynccontextmanager
async def cameras(settings: Settings, daemon: Daemon) -> AsyncIterator[None]:
    """Frames on every topic until the block ends: some torn, some too old; now and then another model."""
    stop = asyncio.Event()

    async def publish() -> None:
        async with Publisher(settings.kafka) as publisher:
            for number in itertools.count():
                if stop.is_set():
                    return
                topics = settings.kafka.frame_topics or []
                await publisher.publish([_frame(topic, number) for topic in topics])
                if number % 20 == 19:
                    await daemon.model.exchange()
                await asyncio.sleep(0.05)  # a camera's pace

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        stop.set()
        await publishing


def _frame(topic: str, number: int) -> Record:
    """One of ten is torn, another too old for the model."""
    value = picture(number % 50)
    if number % 10 == 3:
        return frame(topic, number, value[: len(value) // 2])
    return frame(topic, number, value, age_s=TOO_OLD_S if number % 10 == 7 else 0.0)


def reason_without_data(query: str) -> str | None:
    """Return why a query need not find anything here; None if it has to."""
    return next((reason for pattern, reason in WITHOUT_DATA.items() if re.search(pattern, query)), None)


async def _without_answer(prometheus: Prometheus, queries: Iterable[str]) -> dict[str, str]:
    """Ask until each query has data; returns those that find none, and what is wrong with others."""
    wrong: dict[str, str] = {}
    waiting = [query for query in queries if reason_without_data(query) is None]
    for query in set(queries) - set(waiting):
        await _ask(prometheus, query, wrong)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while waiting:
                waiting = [query for query in waiting if not await _ask(prometheus, query, wrong)]
                await asyncio.sleep(0.1)
    return wrong | dict.fromkeys(waiting, "no data")


async def _ask(prometheus: Prometheus, query: str, wrong: dict[str, str]) -> bool:
    """Tell whether a query needs not be asked again: it has data, or is not understood."""
    try:
        return bool(await prometheus.values(query))
    except ValueError as error:
        wrong[query] = str(error)
        return True


@pytest.mark.timeout(3 * DEADLINE_S)
async def test_every_query_is_true(tmp_path: Path) -> None:
    """Each expression of each rule and dashboard is understood, and finds data where the daemon gives any.

    The rules themselves are evaluated without an error, and an alert fires for the frames that are skipped.
    """
    tool("prometheus")
    with MockCluster() as cluster:
        settings = await line_settings(
            cluster.bootstrap_servers,
            pipeline=PipelineSettings(
                max_batch=4, max_wait_ms=5, commit_interval_ms=20, overload="shed", max_frame_age_ms=20_000
            ),
        )
        async with (
            running(settings) as daemon,
            cameras(settings, daemon),
            Prometheus(
                tmp_path, target=daemon.http_url.removeprefix("http://"), rules=RULE_FILES
            ) as prometheus,
        ):
            assert await _without_answer(prometheus, all_queries()) == {}
            rules = await prometheus.rules()
            assert len(rules) == len(load_rules())
            assert {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")} == {}
            assert await prometheus.values('ALERTS{alertname="StripsightFramesSkipped", alertstate="firing"}')
