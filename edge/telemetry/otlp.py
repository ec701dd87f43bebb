"""Spans to a collector by OpenTelemetry's protocol over HTTP; an extra, imported only when tracing is on.

Protobuf over HTTP and not gRPC: grpcio is 6 MB of native code more, and every collector takes both.
"""

import asyncio
import logging
import os
import re
import socket
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes as OtelAttributes

from edge import __version__
from edge.errors import SettingsError
from edge.settings import TracingSettings
from edge.telemetry.metrics import Metrics
from edge.telemetry.tracing import Attributes, Kind, Span

log = structlog.get_logger(__name__)

# On top of the time to drain; a collector that is there takes all that is left in a fraction of it.
_FLUSH_TIMEOUT_S = 3.0

_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_HEADER = re.compile(r"\s*[!#-'*+.0-9A-Z^-z|~-]+\s*=[ -~]*")

_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "consumer": trace.SpanKind.CONSUMER,
    "producer": trace.SpanKind.PRODUCER,
}
_W3C = TraceContextTextMapPropagator()


class OtlpSpan:
    """See Span."""

    def __init__(self, span: trace.Span, metrics: Metrics) -> None:
        self.otel = span
        self.is_sampled = span.is_recording() and span.get_span_context().trace_flags.sampled
        self._metrics = metrics

    @property
    def traceparent(self) -> str | None:
        """See Span."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self.otel, Context()))
        return carrier.get("traceparent")

    def link(self, other: Span) -> None:
        """See Span."""
        self.otel.add_link(_context_of(other))

    def end(self, at_s: float, *, error: str | None = None) -> None:
        """See Span."""
        if error is not None:
            self.otel.set_attribute("error.type", error)
            self.otel.set_status(trace.StatusCode.ERROR, error)
        self.otel.end(_nanoseconds(at_s))
        if self.is_sampled:
            self._metrics.trace_spans.inc()


class OtlpTracer:
    """See Tracer. Spans wait in a bounded queue for a thread that exports them; a full one drops the oldest.

    ``OTEL_EXPORTER_OTLP_HEADERS``, ``..._CERTIFICATE``, ``..._TIMEOUT``, ``OTEL_BSP_*`` and
    ``OTEL_RESOURCE_ATTRIBUTES`` mean what OpenTelemetry says.

    Raises:
        SettingsError: the environment has headers that are none.
    """

    def __init__(self, endpoint: str, settings: TracingSettings, metrics: Metrics) -> None:
        _check_headers()
        self._metrics = metrics
        self._words = _LastWords().__enter__()
        resource = Resource.create(
            {
                "service.name": settings.service_name,
                "service.version": __version__,
                "host.name": socket.gethostname(),
            }
        )
        url = _traces_url(endpoint)
        self._exporter = _Watched(OTLPSpanExporter(endpoint=url), url, metrics, self._words)
        self._provider = TracerProvider(
            sampler=ParentBased(_RatioOrLinks(settings.sample_ratio)),
            resource=resource,
            shutdown_on_exit=False,  # `close` does, and within a bound
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("stripsight", __version__)
        log.info("tracing", endpoint=url, sample_ratio=settings.sample_ratio)

    def start(
        self,
        name: str,
        *,
        at_s: float,
        kind: Kind = "internal",
        parent: Span | str | None = None,
        links: Sequence[Span] = (),
        attributes: Attributes | None = None,
    ) -> OtlpSpan:
        """See Tracer."""
        span = self._tracer.start_span(
            name,
            _parent(parent),
            kind=_KINDS[kind],
            attributes=attributes,
            links=[trace.Link(_context_of(span)) for span in links],
            start_time=_nanoseconds(at_s),
        )
        return OtlpSpan(span, self._metrics)

    async def close(self) -> None:
        """See Tracer."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        """SDKs wait for half a minute, older ones for ever, hence a thread that may be left behind."""
        flushing = threading.Thread(target=self._provider.shutdown, name="flush-traces", daemon=True)
        flushing.start()
        flushing.join(_FLUSH_TIMEOUT_S)
        if flushing.is_alive():
            self._exporter.give_up()
            log.warning("the last traces are lost", not_taken_within_s=_FLUSH_TIMEOUT_S)
        else:
            self._words.__exit__(None, None, None)


class _RatioOrLinks(TraceIdRatioBased):
    """A trace that begins here: by chance, or because it links spans that are sampled, as a batch does."""

    def should_sample(  # noqa: PLR0917 - as it is called
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: OtelAttributes = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        asked = (parent_context, trace_id, name, kind, attributes, links, trace_state)
        if any(link.context.trace_flags.sampled for link in links or ()):
            return ALWAYS_ON.should_sample(*asked)
        return super().should_sample(*asked)


class _Watched(SpanExporter):
    """Counts what the collector took, and tells once when it begins to refuse, and once when that is over."""

    def __init__(self, exporter: SpanExporter, endpoint: str, metrics: Metrics, words: "_LastWords") -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._metrics = metrics
        self._words = words
        self._is_refused = False
        self._has_given_up = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._metrics.trace_spans_exported.inc(len(spans))
        self._tell(is_refused=result is not SpanExportResult.SUCCESS)
        return result

    def _tell(self, *, is_refused: bool) -> None:
        if self._has_given_up:
            return
        if is_refused and not self._is_refused:
            log.warning(
                "traces are lost; frames go on", endpoint=self._endpoint, why=self._words.text or "unknown"
            )
        elif self._is_refused and not is_refused:
            log.info("traces are taken again", endpoint=self._endpoint)
        self._is_refused = is_refused

    def give_up(self) -> None:
        """End the waiting between attempts; no more is told of what becomes of them."""
        self._has_given_up = True
        self._exporter.shutdown()

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _LastWords(logging.Handler, AbstractContextManager["_LastWords"]):
    """Within its context OpenTelemetry's log is not ours: it would tell every attempt of every export."""

    _LOGGER = logging.getLogger("opentelemetry")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the exporter said last."""
        if record.name.startswith("opentelemetry.exporter"):
            self.text = record.getMessage()

    def __enter__(self) -> Self:
        self._LOGGER.addHandler(self)
        self._LOGGER.propagate = False
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._LOGGER.removeHandler(self)
        self._LOGGER.propagate = True


def _check_headers() -> None:
    """Refuse what OpenTelemetry would quote in its log: secrets stand there."""
    for name in _HEADERS:
        for number, header in enumerate(os.environ.get(name, "").split(","), 1):
            if header.strip() and not _HEADER.fullmatch(unquote(header)):
                raise SettingsError(
                    f"{name} in the environment: part {number} is no key=value of printable ASCII; "
                    "allowed is key=value,key=value, with values URL-encoded"
                )


def _traces_url(endpoint: str) -> str:
    """A collector's address alone stands for the path that OTLP over HTTP has there."""
    parts = urlsplit(endpoint)
    return endpoint if parts.path.strip("/") else parts._replace(path="/v1/traces").geturl()


def _parent(parent: Span | str | None) -> Context:
    if isinstance(parent, str):
        return _W3C.extract({"traceparent": parent}, Context())
    return trace.set_span_in_context(parent.otel, Context()) if isinstance(parent, OtlpSpan) else Context()


def _context_of(span: Span) -> trace.SpanContext:
    if not isinstance(span, OtlpSpan):
        raise TypeError(f"{type(span).__name__} is of another tracer")
    return span.otel.get_span_context()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
