"""The command that prints results."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import typer
from typer.testing import CliRunner

from edge.bus.publisher import Publisher, Record
from edge.cli import watch
from edge.errors import SettingsError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]

app = typer.Typer()
app.command()(watch.watch)


def config_of(kafka: KafkaSettings, folder: Path) -> Path:
    """Write the settings of a broker and its topics to a file."""
    file = folder / "stripsight.toml"
    file.write_text(
        f"""
        [kafka]
        bootstrap_servers = "{kafka.bootstrap_servers}"
        defects_topic = "{kafka.defects_topic}"
        inspections_topic = "{kafka.inspections_topic}"
        """
    )
    return file


async def test_records_are_printed_until_the_signal(
    kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    """A watch that joined first sees what is published then; Ctrl-C is a good end."""
    topic = await make_topic("inspections")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", "watch", "--topic", "inspections", "--json", "--from-beginning",
        "--config", str(config_of(kafka, tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, b'{"first": 1}'), Record(topic, b'{"second": 2}')])
    assert process.stdout is not None

    async with asyncio.timeout(20):
        lines = [await process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        returned = await process.wait()

    assert lines == [b'{"first": 1}\n', b'{"second": 2}\n']
    assert returned == 0


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    """A file with an unknown setting is not passed over."""
    file = tmp_path / "stripsight.toml"
    file.write_text("[kafka]\nbootstrap = 1\n")

    result = CliRunner().invoke(app, ["--config", str(file)])

    assert isinstance(result.exception, SettingsError)


def test_another_topic_is_refused() -> None:
    """The message tells which topics there are."""
    result = CliRunner().invoke(app, ["--topic", "frames"])

    assert result.exit_code == 2
    assert "inspections" in result.output


def test_help_tells_every_option() -> None:
    """What can be asked for is on the first page."""
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100", "TERM": "dumb"})

    for option in ("--topic", "--json", "--from-beginning", "--count", "--bootstrap", "--config"):
        assert option in result.output
