"""A Prometheus of our own: Debian's binary on a free port, in a folder that goes with the test."""

import asyncio
import json
import math
import shutil
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.conftest import skip_or_fail
from tests.support.http import ask
from tests.support.kafka_broker import free_port

_START_TIMEOUT_S = 60.0  # it takes half a second on an idle machine

# Fast enough for rates within seconds; slow enough for a busy machine to answer in time.
_INTERVAL = "500ms"


def tool(name: str) -> str:
    """Return the path of a program of Prometheus' or Alertmanager's; skip where it is not installed."""
    path = shutil.which(name)
    if path is None:
        skip_or_fail("prometheus", f"{name} is not installed")
    return str(path)


class Prometheus:
    """Scrapes one address as the job ``stripsight`` and evaluates rules, while its context is open."""

    def __init__(self, folder: Path, *, target: str, rules: Sequence[Path]) -> None:
        self._folder = folder
        self._target = target
        self._rules = rules
        self._url = f"http://127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Self:
        binary, config = tool("prometheus"), self._folder / "prometheus.yml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
                "--log.level=warn",
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not await self._is_ready():  # noqa: ASYNC110 - it tells no event
                    await asyncio.sleep(0.05)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def values(self, expression: str) -> list[float]:
        """Return what an expression gives now: a value for each series, none for those that are not a number.

        Raises:
            ValueError: Prometheus does not take the expression; the message is its own.
        """
        arguments = urllib.parse.urlencode({"query": expression})
        status, answer = await ask(f"{self._url}/api/v1/query?{arguments}")
        if status != 200:
            raise ValueError(answer["error"])
        result, kind = answer["data"]["result"], answer["data"]["resultType"]
        samples = [result] if kind == "scalar" else [series["value"] for series in result]
        return [float(value) for _, value in samples if not math.isnan(float(value))]

    async def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its state and its last error."""
        _, answer = await ask(f"{self._url}/api/v1/rules")
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    def _config(self) -> dict[str, Any]:
        job = {"job_name": "stripsight", "static_configs": [{"targets": [self._target]}]}
        return {
            "global": {
                "scrape_interval": _INTERVAL,
                "scrape_timeout": _INTERVAL,
                "evaluation_interval": _INTERVAL,
            },
            "rule_files": [str(file) for file in self._rules],
            "scrape_configs": [job],
        }

    async def _is_ready(self) -> bool:
        if self._process.returncode is not None:
            raise RuntimeError(f"Prometheus has ended: {(self._folder / 'log').read_text()}")
        try:
            status, _ = await ask(f"{self._url}/-/ready")
        except OSError:
            return False
        return status == 200

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
