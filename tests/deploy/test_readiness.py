"""The image's health check, against the daemon's own HTTP server."""

import asyncio
import os
import sys

import pytest

from edge.daemon import load_model
from edge.pipeline.exchange import ModelExchange
from edge.settings import ModelSettings
from edge.telemetry.health import CheckResult, Health
from edge.telemetry.http import HttpServer
from edge.telemetry.metrics import Metrics
from tests.support.compose import ROOT
from tests.support.kafka_broker import free_port

CHECK = ROOT / "deploy" / "readiness.py"


async def check(port: int) -> tuple[int | None, str]:
    """Run the check as Docker does, in an environment that has a proxy which leads nowhere."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHECK),
        env={**os.environ, "STRIPSIGHT_HTTP__PORT": str(port), "http_proxy": "http://127.0.0.1:1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate()
    return child.returncode, said.decode()


@pytest.mark.parametrize("ok", [True, False])
async def test_it_says_what_the_daemon_says(ok: bool) -> None:
    """A daemon that is ready passes; one that is not fails with the check that is to blame."""
    health = Health()
    health.add_readiness("broker", lambda: CheckResult(ok=ok, detail="kafka:19092"))
    metrics = Metrics()
    model = ModelExchange(ModelSettings(runtime="fake"), load_model, metrics)
    async with HttpServer("127.0.0.1", 0, metrics.registry, health, model=model) as server:
        code, said = await check(int(server.url.rpartition(":")[2]))
    assert code == (0 if ok else 1)
    assert ("broker" in said) != ok


async def test_a_daemon_that_does_not_answer_is_not_ready() -> None:
    """Before the daemon listens the check fails, and names the address."""
    port = free_port()
    code, said = await check(port)
    assert code == 1
    assert f"http://127.0.0.1:{port}/readyz" in said
