"""The log: structlog and the standard library's logging through the same processors, to standard error.

JSON lines for machines, colours for people. Time stamps are ISO 8601 in UTC. Values of keys that sound like
secrets are masked, at any depth.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from edge.settings import MASK

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]

_SECRET_KEY = re.compile(r"passw(or)?d|secret|token|credential|authorization|api_?key|^sasl_", re.IGNORECASE)

# One level quieter than ours: at debug aiokafka writes out every request, authentication among them, and at
# info every step of every rebalance; torch counts its caches.
_QUIETER = ("aiokafka", "asyncio", "torch")

# What leads a JSON line, for people who read the raw log.
_FIRST_KEYS = ("timestamp", "level", "logger", "event")


def configure_logging(level: Level = "info", format: Format = "auto") -> None:  # noqa: A002 # the setting's name
    """Set up logging for the whole process; calling it again replaces what was set up.

    Args:
        level: the least severe that is logged.
        format: ``console``, ``json``, or ``auto`` for console on a terminal and JSON elsewhere.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_shared_processors()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json=_is_json(format)),
            ],
        )
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(number, min(number + 10, logging.WARNING)))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*_shared_processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )


def join_logging(level: Level = "info") -> None:
    """Hand our events on as JSON lines to the logging that the process has: it is somebody else's.

    Args:
        level: the least severe that is handed on.
    """
    structlog.configure(
        processors=[*_shared_processors(), *_renderers(as_json=True)],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask the values of keys that sound like secrets, and SecretStr wherever it stands."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: object, value: Any) -> Any:
    if isinstance(value, SecretStr) or (_SECRET_KEY.search(str(key)) and value is not None):
        return MASK
    if isinstance(value, Mapping):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_masked(None, item) for item in value]
    if isinstance(value, tuple):
        return tuple(_masked(None, item) for item in value)
    return value


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        mask_secrets,
    ]


def _is_json(format_: Format) -> bool:
    return format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())


def _renderers(*, as_json: bool) -> list[Processor]:
    if as_json:
        # Locals stay out of tracebacks: they would tell passwords, and fill the disk with pixels.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            _lead_with_first_keys,
            structlog.processors.JSONRenderer(),
        ]
    colors = sys.stderr.isatty()
    formatter = (
        structlog.dev.RichTracebackFormatter(show_locals=False) if colors else structlog.dev.plain_traceback
    )
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=formatter)]


def _lead_with_first_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event[key] for key in _FIRST_KEYS if key in event} | dict(event)
