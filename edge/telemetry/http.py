"""Metrics, health and the model over HTTP: ``/metrics``, ``/healthz``, ``/readyz``, ``/model``."""

import errno
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr

from edge.errors import PortInUseError, SettingsError
from edge.telemetry.health import Health, Report
from edge.telemetry.model_routes import ModelControl, ModelRoutes

# Answers take milliseconds: a connection that is still busy after 2 s is stuck, and must not hold up the end.
_SHUTDOWN_TIMEOUT_S = 2.0

# What is asked for is a path; more is nobody's request.
_LARGEST_BODY_BYTES = 16 * 1024

_INDEX = {
    "/metrics": "metrics in Prometheus' text format or OpenMetrics",
    "/healthz": "whether the daemon lives",
    "/readyz": "whether frames would be inspected as soon as they arrive",
    "/model": "the model that looks at the frames; POST exchanges it",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page(NamedTuple):
    """A page that somebody else answers for, and what the index says about it."""

    method: str
    path: str
    handler: Handler
    about: str


class HttpServer:
    """Serves a metrics registry, health checks and the model while its context is open.

    Port 0 takes any free port; ``port`` and ``url`` tell the one that was taken. What changes anything needs
    the ``token``, and is off without one. ``more`` are pages that are served beside these.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Health,
        *,
        model: ModelControl,
        token: SecretStr | None = None,
        more: Sequence[Page] = (),
    ) -> None:
        self.host = host
        self.port = port
        self._registry = registry
        self._health = health
        self._model = ModelRoutes(model, token)
        self._more = more
        self._index = _INDEX | {page.path: page.about for page in more}
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S
        )

    @property
    def url(self) -> str:
        """Address of the index, without a slash at the end."""
        return f"http://{_authority(self.host, self.port)}"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            PortInUseError: another process listens on the port.
            SettingsError: nothing can listen there.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise _listen_error(self.host, self.port, error) from error
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(
            middlewares=[_errors_as_json(list(self._index))], client_max_size=_LARGEST_BODY_BYTES
        )
        application.router.add_get("/", self._root)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/model", self._model.get)
        application.router.add_post("/model", self._model.post)
        for page in self._more:
            application.router.add_route(page.method, page.path, page.handler)
        return application

    async def _root(self, _: web.Request) -> web.Response:
        return web.json_response(self._index)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        response = web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _healthz(self, _: web.Request) -> web.Response:
        return _health_response(self._health.liveness(), "live")

    async def _readyz(self, _: web.Request) -> web.Response:
        return _health_response(self._health.readiness(), "ready")


def _health_response(report: Report, good: str) -> web.Response:
    body = {
        "status": good if report.ok else f"not {good}",
        "checks": {
            name: {"ok": result.ok, "detail": result.detail} for name, result in report.checks.items()
        },
    }
    return web.json_response(body, status=200 if report.ok else 503, headers={"Cache-Control": "no-store"})


def _errors_as_json(paths: Sequence[str]) -> Middleware:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            body = {"error": error.reason, "paths": paths}
            return web.json_response(body, status=error.status, headers=headers)

    return answer


def _listen_error(host: str, port: int, error: OSError) -> PortInUseError | SettingsError:
    address = _authority(host, port)
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(f"{address} is in use; set http.port to another port (0 takes any free one)")
    return SettingsError(f"cannot listen on {address} (http.host, http.port): {error.strerror or error}")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
