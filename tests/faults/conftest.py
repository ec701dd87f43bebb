"""Faults on a real broker of these tests' own, and the account after each.

The short form runs in ``make test``, the long one (``STRIPSIGHT_TEST_LONG=1``) in ``make chaos``.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import uuid4

import pytest

from edge.bus.topics import ensure_topics
from edge.settings import HttpSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings
from tests.conftest import skip_or_fail
from tests.support.audit import Account, all_committed, audit
from tests.support.kafka_broker import KafkaBroker, free_port, why_no_docker
from tests.support.proxy import Proxy

Close = Callable[..., Awaitable[Account]]

LONG = bool(os.environ.get("STRIPSIGHT_TEST_LONG"))
ACCOUNTS = pytest.StashKey[list[tuple[str, str]]]()
PROXIED = "PROXIED"
DELIVERIES = ["at_least_once", "exactly_once"]


@pytest.fixture(scope="session")
def proxy_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def broker(proxy_port: int) -> Iterator[KafkaBroker]:
    """A broker that may be killed, and is up again when a test ends. Sessions may last a second."""
    if reason := why_no_docker():
        skip_or_fail("docker", reason)
    quick = {"KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000"}
    with KafkaBroker({PROXIED: proxy_port}, quick) as broker:
        yield broker


@pytest.fixture
async def proxy(broker: KafkaBroker, proxy_port: int) -> AsyncIterator[Proxy]:
    """The network between a daemon and the broker."""
    async with Proxy(proxy_port, broker.ports[PROXIED]) as proxy:
        yield proxy


@pytest.fixture(params=DELIVERIES)
def delivery(request: pytest.FixtureRequest) -> str:
    """Either promise."""
    return str(request.param)


@pytest.fixture
async def settings(broker: KafkaBroker, delivery: str) -> Settings:
    """A line with three cameras and the fake runtime, its topics its own."""
    return await a_line(broker.bootstrap_servers, delivery)


async def a_line(bootstrap_servers: str, delivery: str) -> Settings:
    """Create the topics of a line of its own."""
    run = uuid4().hex[:8]
    kafka = KafkaSettings.model_validate(
        {
            "bootstrap_servers": bootstrap_servers,
            "group_id": f"daemon-{run}",
            "delivery": delivery,
            "frame_topics": [f"frames.{run}-cam{number}" for number in (1, 2, 3)],
            "defects_topic": f"defects-{run}",
            "inspections_topic": f"inspections-{run}",
            "dead_letter_topic": f"dead-letter-{run}",
            "session_timeout_ms": 2000,
            "request_timeout_ms": 5000,
        }
    )
    await ensure_topics(kafka)
    await ensure_topics(kafka, kafka.frame_topics)
    return Settings(
        kafka=kafka,
        pipeline=PipelineSettings(max_batch=4, max_wait_ms=5, commit_interval_ms=50),
        model=ModelSettings(runtime="fake", fake_defects=2, fake_delay_ms=5),
        http=HttpSettings(port=0),
    )


@pytest.fixture
def close(request: pytest.FixtureRequest, settings: Settings) -> Close:
    """Close the account: wait until all frames are committed, audit, tell, and hold to the promise."""

    async def close_account(note: str = "", timeout_s: float = 60) -> Account:
        await all_committed(settings.kafka, timeout_s)
        account = await audit(settings.kafka)
        name = request.node.name.removeprefix("test_").replace("_", " ")
        request.config.stash.setdefault(ACCOUNTS, []).append((name, f"{account.line}{note}"))
        assert not account.lost, account.line
        assert not account.unequal, account.line
        assert not account.wrong_defects, account.wrong_defects
        if settings.kafka.delivery == "exactly_once":
            assert not account.duplicates, account.duplicates
        return account

    return close_account


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what each fault cost."""
    accounts = config.stash.get(ACCOUNTS, [])
    if accounts:
        terminalreporter.section("accounts after faults")
        width = max(len(name) for name, _ in accounts)
        for name, line in accounts:
            terminalreporter.write_line(f"{name:<{width}}  {line}")
