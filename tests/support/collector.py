"""A collector that takes traces by OTLP over HTTP, and keeps what it was given."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class TakenSpan:
    """A span as it came in; ids in hexadecimal, ``parent`` is empty for the root of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    began_ns: int
    ended_ns: int
    error: str
    links: list[str]
    attributes: dict[str, str | int | float]

    @classmethod
    def of(cls, span: Span) -> Self:
        """Return what a span of the protocol says."""
        return cls(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else "",
            [link.span_id.hex() for link in span.links],
            {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes},
        )


@dataclass
class Collector:
    """Serves while in its ``async with``; ``status`` is how it answers."""

    url: str = ""
    status: HTTPStatus = HTTPStatus.OK
    spans: list[TakenSpan] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = str(self._server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    def named(self, name: str) -> list[TakenSpan]:
        """Spans of a name."""
        return [span for span in self.spans if span.name == name]

    async def _take(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization"))
        if self.status is HTTPStatus.OK:
            self._keep(ExportTraceServiceRequest.FromString(await request.read()))
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, status=self.status, content_type="application/x-protobuf")

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            attributes = resource.resource.attributes
            self.resources.append({each.key: each.value.string_value for each in attributes})
            for scope in resource.scope_spans:
                self.spans += [TakenSpan.of(span) for span in scope.spans]
