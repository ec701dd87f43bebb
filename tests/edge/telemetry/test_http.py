from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry, Counter

from edge.errors import PortInUseError, SettingsError
from edge.telemetry.health import CheckResult, Health
from edge.telemetry.http import HttpServer

LOCALHOST = "127.0.0.1"


@pytest.fixture
def health() -> Health:
    return Health()


@pytest_asyncio.fixture
async def server(health: Health) -> AsyncIterator[HttpServer]:
    registry = CollectorRegistry()
    Counter("stripsight_frames", "Frames.", registry=registry).inc(3)
    async with HttpServer(LOCALHOST, 0, registry, health) as server:
        yield server


@pytest_asyncio.fixture
async def client(server: HttpServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, headers={"Accept-Encoding": "identity"}) as session:
        yield session


async def test_metrics_are_prometheus_text_by_default(client: aiohttp.ClientSession) -> None:
    """A scrape without wishes gets the classic text format."""
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert "stripsight_frames_total 3.0" in await response.text()


async def test_metrics_are_openmetrics_on_demand(client: aiohttp.ClientSession) -> None:
    """A scrape that accepts OpenMetrics gets it, complete to its end mark."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with client.get("/metrics", headers=accept) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = await response.text()
    assert "stripsight_frames_total 3.0" in text
    assert text.endswith("# EOF\n")


async def test_metrics_are_compressed_on_demand(server: HttpServer) -> None:
    """Prometheus asks for gzip, and gets it."""
    async with (
        aiohttp.ClientSession(server.url, headers={"Accept-Encoding": "gzip"}) as session,
        session.get("/metrics") as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        assert "stripsight_frames_total 3.0" in await response.text()


async def test_readiness_tells_every_check(health: Health, client: aiohttp.ClientSession) -> None:
    """A daemon that is not ready answers 503, and names what is missing."""
    health.add_readiness("model", lambda: CheckResult(ok=True, detail="severstal 1a2b"))
    health.add_readiness("broker", lambda: CheckResult(ok=False, detail="localhost:9092"))
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert await response.json() == {
            "status": "not ready",
            "checks": {
                "model": {"ok": True, "detail": "severstal 1a2b"},
                "broker": {"ok": False, "detail": "localhost:9092"},
            },
        }


async def test_ready_daemon_answers_200(health: Health, client: aiohttp.ClientSession) -> None:
    """With every check well the daemon is ready."""
    health.add_readiness("model", lambda: CheckResult(ok=True))
    async with client.get("/readyz") as response:
        assert response.status == 200
        assert (await response.json())["status"] == "ready"


async def test_liveness_is_apart_from_readiness(health: Health, client: aiohttp.ClientSession) -> None:
    """A daemon that waits for its broker lives."""
    health.add_readiness("broker", lambda: CheckResult(ok=False))
    async with client.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "live", "checks": {}})


async def test_failed_liveness_answers_503(health: Health, client: aiohttp.ClientSession) -> None:
    """An orchestrator learns that a restart is due."""
    health.add_liveness("loop", lambda: CheckResult(ok=False, detail="stuck"))
    async with client.get("/healthz") as response:
        assert (response.status, (await response.json())["status"]) == (503, "not live")


async def test_check_that_raises_is_a_failed_check(health: Health, client: aiohttp.ClientSession) -> None:
    """An error in a check is told as its detail, not as a failure of the server."""
    health.add_readiness("broken", lambda: CheckResult(ok=bool(1 / 0)))
    async with client.get("/readyz") as response:
        assert response.status == 503
        checks = (await response.json())["checks"]
    assert checks["broken"] == {"ok": False, "detail": "ZeroDivisionError: division by zero"}


async def test_index_lists_what_there_is(client: aiohttp.ClientSession) -> None:
    """Whoever opens the port in a browser finds the way."""
    async with client.get("/") as response:
        assert set(await response.json()) == {"/metrics", "/healthz", "/readyz"}


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
async def test_head_answers_as_get_without_a_body(client: aiohttp.ClientSession, path: str) -> None:
    """Load balancers that only ask for the head are served."""
    async with client.get(path) as full, client.head(path) as head:
        assert head.status == full.status == 200
        assert head.headers["Content-Type"] == full.headers["Content-Type"]
        assert await head.read() == b""


async def test_unknown_path_is_404_in_json(client: aiohttp.ClientSession) -> None:
    """A mistyped path learns the right ones."""
    async with client.get("/metric") as response:
        assert response.status == 404
        body = await response.json()
    assert body == {"error": "Not Found", "paths": ["/metrics", "/healthz", "/readyz"]}


async def test_wrong_method_is_405_in_json(client: aiohttp.ClientSession) -> None:
    """Nothing can be posted here."""
    async with client.post("/metrics") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
        assert (await response.json())["error"] == "Method Not Allowed"


async def test_port_0_takes_a_free_port_and_tells_it(server: HttpServer) -> None:
    """The port that was taken is exposed."""
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"


async def test_port_in_use_is_a_typed_error(server: HttpServer) -> None:
    """The error names host, port and the setting to change."""
    second = HttpServer(LOCALHOST, server.port, CollectorRegistry(), Health())
    with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{server.port} is in use; set http\.port"):
        await second.__aenter__()


async def test_address_of_another_machine_is_a_typed_error() -> None:
    """A host on which nothing can listen names the settings."""
    elsewhere = HttpServer("192.0.2.1", 0, CollectorRegistry(), Health())
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1:0 \(http\.host, http\.port\)"):
        await elsewhere.__aenter__()


async def test_port_is_free_again_afterwards(server: HttpServer) -> None:
    """Closing the server gives the port back at once, kept-alive connections or not."""
    async with HttpServer(LOCALHOST, 0, CollectorRegistry(), Health()) as first:
        session = aiohttp.ClientSession(first.url)
        async with session.get("/healthz") as response:
            await response.read()
    async with HttpServer(LOCALHOST, first.port, CollectorRegistry(), Health()) as second:
        assert second.port == first.port != server.port
    await session.close()


async def test_ipv6_address_is_written_in_brackets() -> None:
    """The URL of a server on an IPv6 address can be opened as it is."""
    assert HttpServer("::1", 9108, CollectorRegistry(), Health()).url == "http://[::1]:9108"
