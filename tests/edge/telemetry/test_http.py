"""The daemon's port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import structlog
from prometheus_client import CollectorRegistry, Counter
from pydantic import SecretStr

from edge.contracts import ModelReference
from edge.errors import (
    ExchangeBusyError,
    ExchangeError,
    ModelRefusedError,
    PortInUseError,
    SettingsError,
)
from edge.telemetry.health import CheckResult, Health
from edge.telemetry.http import HttpServer
from edge.telemetry.model_routes import Exchanged

LOCALHOST = "127.0.0.1"
TOKEN = "a-token-of-16-or-more"  # noqa: S105 # the one that the tests show
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class HeldModel:
    """Stands in for the daemon's: takes note of what is asked, and fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[Path | None] = []
        self.failure: ExchangeError | None = None
        self.is_loaded = True

    def describe(self) -> dict[str, object] | None:
        """Tell."""
        return {"name": "severstal", "version": "1a2b"} if self.is_loaded else None

    async def exchange(self, path: Path | None = None) -> Exchanged:
        """Take note."""
        self.asked.append(path)
        if self.failure is not None:
            raise self.failure
        before = ModelReference("severstal", "1a2b")
        return Exchanged(name="severstal", version="3c4d", seconds=1.5, before=before)


def bare_server(host: str, port: int, token: str | None = None) -> HttpServer:
    """A server with nothing to tell."""
    secret = SecretStr(token) if token else None
    return HttpServer(host, port, CollectorRegistry(), Health(), model=HeldModel(), token=secret)


@pytest.fixture
def model() -> HeldModel:
    return HeldModel()


@pytest.fixture
def health() -> Health:
    return Health()


@pytest_asyncio.fixture
async def server(health: Health, model: HeldModel) -> AsyncIterator[HttpServer]:
    registry = CollectorRegistry()
    Counter("stripsight_frames", "Frames.", registry=registry).inc(3)
    async with HttpServer(LOCALHOST, 0, registry, health, model=model, token=SecretStr(TOKEN)) as server:
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
        assert set(await response.json()) == {"/metrics", "/healthz", "/readyz", "/model"}


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/model"])
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
    assert body == {"error": "Not Found", "paths": ["/metrics", "/healthz", "/readyz", "/model"]}


async def test_wrong_method_is_405_in_json(client: aiohttp.ClientSession) -> None:
    """Nothing can be posted there."""
    async with client.post("/metrics") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
        assert (await response.json())["error"] == "Method Not Allowed"


async def test_port_0_takes_a_free_port_and_tells_it(server: HttpServer) -> None:
    """The port that was taken is exposed."""
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"


async def test_port_in_use_is_a_typed_error(server: HttpServer) -> None:
    """The error names host, port and the setting to change."""
    second = bare_server(LOCALHOST, server.port)
    with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{server.port} is in use; set http\.port"):
        await second.__aenter__()


async def test_address_of_another_machine_is_a_typed_error() -> None:
    """A host on which nothing can listen names the settings."""
    elsewhere = bare_server("192.0.2.1", 0)
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1:0 \(http\.host, http\.port\)"):
        await elsewhere.__aenter__()


async def test_port_is_free_again_afterwards(server: HttpServer) -> None:
    """Closing the server gives the port back at once, kept-alive connections or not."""
    async with bare_server(LOCALHOST, 0) as first:
        session = aiohttp.ClientSession(first.url)
        async with session.get("/healthz") as response:
            await response.read()
    async with bare_server(LOCALHOST, first.port) as second:
        assert second.port == first.port != server.port
    await session.close()


async def test_ipv6_address_is_written_in_brackets() -> None:
    """The URL of a server on an IPv6 address can be opened as it is."""
    assert bare_server("::1", 9108).url == "http://[::1]:9108"


async def test_whoever_asks_learns_the_model(client: aiohttp.ClientSession, model: HeldModel) -> None:
    """No token is needed to read; while the first model is being loaded, that is the answer."""
    async with client.get("/model") as response:
        assert (response.status, await response.json()) == (200, {"name": "severstal", "version": "1a2b"})
    model.is_loaded = False
    async with client.get("/model") as response:
        assert response.status == 503
        assert "still being loaded" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"", None), (b"{}", None), (b'{"path": null}', None), (b'{"path": "/models/b"}', Path("/models/b"))],
)
async def test_the_model_is_exchanged(
    client: aiohttp.ClientSession, model: HeldModel, body: bytes, path: Path | None
) -> None:
    """An empty body means the same folder; the answer tells both models, and how long it took."""
    headers = BEARER | ({"Content-Type": "application/json"} if body else {})
    async with client.post("/model", data=body, headers=headers) as response:
        assert response.status == 200
        assert await response.json() == {
            "name": "severstal",
            "version": "3c4d",
            "seconds": 1.5,
            "before": {"name": "severstal", "version": "1a2b", "precision": None},
        }
    assert model.asked == [path]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9\udce9",
    ],
)
async def test_a_stranger_changes_nothing(
    server: HttpServer, model: HeldModel, authorization: str | None
) -> None:
    """Without the token, or with another one, the model is not touched, and the challenge is told."""
    with socket.create_connection((server.host, server.port)) as connection:
        header = "" if authorization is None else f"Authorization: {authorization}\r\n"
        request = f"POST /model HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
        answer = await asyncio.to_thread(_exchange, connection, request.encode(errors="surrogateescape"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'\r\nWWW-Authenticate: Bearer realm="stripsight"\r\n' in answer
    assert TOKEN.encode() not in answer
    assert model.asked == []


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return b"".join(iter(lambda: connection.recv(65536), b""))


async def test_without_a_token_nothing_can_be_changed() -> None:
    """Not even by whoever shows one; the answer names the setting."""
    async with (
        bare_server(LOCALHOST, 0) as server,
        aiohttp.ClientSession(server.url) as client,
        client.post("/model", headers=BEARER) as response,
    ):
        assert response.status == 403
        assert "http.token is not set" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [(ExchangeBusyError("another exchange is under way"), 409), (ModelRefusedError("NaN\neverywhere"), 422)],
)
async def test_a_refused_exchange_says_why(
    client: aiohttp.ClientSession, model: HeldModel, failure: ExchangeError, status: int
) -> None:
    """Whether to come again, or to come with another model."""
    model.failure = failure
    async with client.post("/model", headers=BEARER) as response:
        assert (response.status, await response.json()) == (status, {"error": str(failure)})


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        (b"{", "application/json", 400, "truncated"),
        (b"[]", "application/json", 400, "Expected `object`"),
        (b'{"path": 7}', "application/json", 400, "$.path"),
        (b'{"path": ""}', "application/json", 400, "$.path"),
        (b'{"folder": "/models/b"}', "application/json", 400, "`folder`"),
        (b'{"path": "\xff"}', "application/json", 400, "not {"),
        (b"[" * 10_000, "application/json", 400, "not {"),
        (b"path=/models/b", "application/x-www-form-urlencoded", 415, "application/json"),
        (b" " * 100_000, "application/json", 413, "Too Large"),
    ],
)
async def test_a_bad_body_is_named(
    client: aiohttp.ClientSession,
    model: HeldModel,
    *,
    body: bytes,
    content_type: str,
    status: int,
    told: str,
) -> None:
    """What is wrong with it is told, and the model is not touched."""
    headers = BEARER | {"Content-Type": content_type}
    async with client.post("/model", data=body, headers=headers) as response:
        assert response.status == status
        assert told in (await response.json())["error"]
    assert model.asked == []


async def test_a_wrong_token_is_a_line_of_the_log(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    """With where it came from; neither token stands in it."""
    with structlog.testing.capture_logs() as lines:
        async with (
            aiohttp.ClientSession(server.url) as client,
            client.post("/model", headers={"Authorization": "Bearer guessed"}),
        ):
            pass
    assert lines == [{"event": "wrong token", "log_level": "warning", "path": "/model", "remote": LOCALHOST}]
    assert "guessed" not in caplog.text
