"""``stripsight run`` as a mill runs it: a process of its own, looked at from outside."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from edge.settings import HttpSettings, Settings
from tests.support.kafka_broker import free_port

_START_TIMEOUT_S = 180.0  # on a machine at other work
_STOP_TIMEOUT_S = 60.0


class DaemonProcess:
    """The daemon for the length of an ``async with``, which begins when it is ready, and ends it in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.model_copy(update={"http": HttpSettings(port=free_port())})
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        environment = {
            "STRIPSIGHT_KAFKA": settings.kafka.model_dump_json(exclude={"sasl_password"}),
            "STRIPSIGHT_MODEL": settings.model.model_dump_json(),
            "STRIPSIGHT_PIPELINE": settings.pipeline.model_dump_json(),
            "STRIPSIGHT_HTTP": settings.http.model_dump_json(),
            "STRIPSIGHT_LOG__LEVEL": "warning",
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge.cli", "run", env=os.environ | environment
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._ready()
        except BaseException:
            self._kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._running()
        try:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                assert await process.wait() == 0
        finally:
            self._kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels, as Prometheus would see it now."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(await self._get("metrics"))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until(self, is_reached: Callable[[float], bool], name: str, **labels: str) -> None:
        """Wait until a metric has a value."""
        while not is_reached(await self.metric(name, **labels)):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)

    def peak_bytes(self) -> int:
        """Return the most memory that the process ever took: its resident set at its largest."""
        status = Path(f"/proc/{self._running().pid}/status").read_text()
        (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kilobytes) * 1024

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "the daemon was not started"
        return self._process

    async def _ready(self) -> None:
        while True:
            assert self._running().returncode is None, "the daemon ended by itself"
            with contextlib.suppress(OSError):  # not listening, or not ready yet
                await self._get("readyz")
                return
            await asyncio.sleep(0.05)

    async def _get(self, page: str) -> str:
        def fetch() -> str:
            url = f"http://127.0.0.1:{self._settings.http.port}/{page}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())

        return await asyncio.to_thread(fetch)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._running().kill()
