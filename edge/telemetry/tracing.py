"""Traces: what a stage has to know of them, and nothing of OpenTelemetry, which is an extra.

Spans are made after the fact, from times that the stages record anyway: off, tracing costs nothing, and on it
costs once a batch, while the model is at the next.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from edge.errors import SettingsError
from edge.settings import TracingSettings
from edge.telemetry.metrics import Metrics

Attributes = Mapping[str, str | int | float]
Kind = Literal["internal", "consumer", "producer"]


class Span(Protocol):
    """A piece of work within a trace. It is exported once it has ended; one that never ends is forgotten."""

    @property
    def traceparent(self) -> str | None:
        """W3C trace context for those who go on with the trace; None where there is none."""

    @property
    def is_sampled(self) -> bool:
        """Whether the span will be exported: of others nobody needs children."""

    def link(self, other: "Span") -> None:
        """Point to a span of another trace."""

    def end(self, at_s: float, *, error: str | None = None) -> None:
        """End it at a Unix time; ``error`` tells, as a label, that the work failed."""


class Tracer(Protocol):
    """Makes spans, and hands those that have ended to a collector, in the background."""

    def start(
        self,
        name: str,
        *,
        at_s: float,
        kind: Kind = "internal",
        parent: Span | str | None = None,
        links: Sequence[Span] = (),
        attributes: Attributes | None = None,
    ) -> Span:
        """Begin a span at a Unix time.

        Args:
            name: what is done, in few words that repeat.
            at_s: seconds since 1970.
            kind: consumer of a record, producer of some, or neither.
            parent: a span, or a traceparent as it came; with None, or one that is malformed, a trace begins.
            links: spans of other traces; a trace that begins with links to sampled ones is sampled as well.
            attributes: what is known by now.
        """

    async def close(self) -> None:
        """Hand over what has ended, within seconds; then no more."""


def open_tracer(settings: TracingSettings, metrics: Metrics) -> Tracer | None:
    """Return the tracer that the settings ask for; None when tracing is off, and nothing is imported then.

    It blocks while it imports.

    Raises:
        SettingsError: the extra is not installed, or the environment has headers that are none.
    """
    if settings.endpoint is None:
        return None
    try:
        from edge.telemetry.otlp import OtlpTracer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"tracing.endpoint needs OpenTelemetry, and {error.name} is not there; "
            "install it with: pip install 'stripsight[otel]'"
        ) from error
    return OtlpTracer(settings.endpoint, settings, metrics)
