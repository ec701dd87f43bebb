"""An Alertmanager of our own: Debian's binary on a free port, in a folder that goes with the test."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import aiohttp

from tests.conftest import skip_or_fail
from tests.support.kafka_broker import free_port

_DEADLINE_S = 60.0  # it takes half a second on an idle machine


class Alertmanager:
    """Groups what it is told by a configuration, while its context is open; it has no peers."""

    def __init__(self, folder: Path, *, config: Path) -> None:
        self._folder = folder
        self._config = config
        self._url = f"http://127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Self:
        # Debian's package names it after Prometheus; its own releases do not.
        binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if binary is None:
            skip_or_fail("prometheus", "Alertmanager is not installed")
        self._http = aiohttp.ClientSession(self._url)
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                binary,
                f"--config.file={self._config}",
                f"--storage.path={self._folder / 'data'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
                "--cluster.listen-address=",
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while not await self._is_ready():  # noqa: ASYNC110 - it tells no event
                    await asyncio.sleep(0.05)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def tell(self, alerts: Sequence[dict[str, str]]) -> None:
        """Let alerts with these labels fire."""
        body = [{"labels": labels} for labels in alerts]
        async with self._http.post("/api/v2/alerts", json=body) as answer:
            answer.raise_for_status()

    async def groups(self, *, of: int) -> list[list[str]]:
        """Return the names of the alerts in each group, once there are so many in all."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                async with self._http.get("/api/v2/alerts/groups") as answer:
                    found = await answer.json()
                groups = [
                    sorted(alert["labels"]["alertname"] for alert in group["alerts"]) for group in found
                ]
                if sum(map(len, groups)) == of:
                    return groups
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        assert self._process.returncode is None, (self._folder / "log").read_text()
        try:
            async with self._http.get("/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _end(self) -> None:
        await self._http.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
