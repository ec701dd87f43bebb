"""The event loop of services."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
import uvloop

from edge.cli.event_loop import run_service


@pytest.fixture(autouse=True)
def _garbage_as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)


def test_services_run_on_uvloop() -> None:
    """And get back what they return."""

    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert isinstance(run_service(loop()), uvloop.Loop)


def test_what_a_service_raises_is_raised() -> None:
    """The command line tells it in a sentence."""

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_service(fail())
