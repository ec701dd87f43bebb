"""Services as commands: they run until a signal comes."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import typer

from edge.cli.event_loop import run_service
from edge.cli.signals import on_hangup, stop_on_signals
from edge.errors import StripsightError
from edge.settings import LogSettings

UNEXPECTED_FAILURE = 1  # exit code


class Server(Protocol):
    """What runs; whoever sets ``exchange_asked`` makes it load its model anew."""

    exchange_asked: asyncio.Event

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, then drain."""


def run_until_signal(log: LogSettings, make: Callable[[], Server]) -> None:
    """Run what is made; what nobody foresaw ends it with a line of the log.

    Raises:
        StripsightError: what the operator can mend.
        typer.Exit: it failed otherwise.
    """
    import structlog

    from edge.telemetry.logging import configure_logging

    configure_logging(log.level, log.format)
    try:
        run_service(_serve(make))
    except StripsightError:
        raise
    except Exception:  # noqa: BLE001 - the log is where operators look, whatever it was
        structlog.get_logger(__name__).exception("the daemon failed")
        raise typer.Exit(UNEXPECTED_FAILURE) from None


async def _serve(make: Callable[[], Server]) -> None:
    server = make()
    with stop_on_signals() as stop, on_hangup(server.exchange_asked.set):
        await server.run(stop)
