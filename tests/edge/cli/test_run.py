"""The command that runs the daemon."""

import asyncio
import json

import pytest
import typer
from typer.testing import CliRunner, Result

from edge.cli import run
from edge.daemon import Daemon
from edge.errors import PortInUseError

app = typer.Typer()
app.command()(run.run)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the daemon fail, with what a test sets as its failure."""

    async def fail(daemon: Daemon, _stop: asyncio.Event) -> None:
        raise daemon.failure  # type: ignore[attr-defined] # set by the test

    monkeypatch.setattr(Daemon, "run", fail)
    return monkeypatch


def run_daemon(failing: pytest.MonkeyPatch, failure: Exception) -> Result:
    """Run the command with a daemon that fails."""
    failing.setattr(Daemon, "failure", failure, raising=False)
    return CliRunner().invoke(app, ["--runtime", "fake"])


def test_an_unforeseen_failure_is_a_line_of_the_log(failing: pytest.MonkeyPatch) -> None:
    """JSON away from a terminal, with the traceback in it, and the exit code tells."""
    result = run_daemon(failing, RuntimeError("a defect of ours"))

    assert result.exit_code == 1
    (line,) = map(json.loads, result.stderr.splitlines())
    assert (line["level"], line["event"]) == ("error", "the daemon failed")
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert line["exception"][0]["exc_value"] == "a defect of ours"


def test_what_the_operator_can_mend_is_left_to_the_command_line(failing: pytest.MonkeyPatch) -> None:
    """It is told in one sentence, without a traceback."""
    result = run_daemon(failing, PortInUseError("port 9108 is taken"))

    assert isinstance(result.exception, PortInUseError)
    assert not result.stderr
