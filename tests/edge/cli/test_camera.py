"""The commands that publish frames."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edge.bus.source import FrameSource
from edge.cli.camera import app
from edge.contracts import RawFrame
from edge.contracts.cloudevents import decode_headers
from edge.contracts.frame import FrameHeaders
from edge.errors import ImageSourceError, SettingsError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of three images, 64 x 32 pixels each."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2, 10):
        cv2.imwrite(str(folder / f"frame{number}.png"), np.full((32, 64), number, np.uint8))
    return folder


def camera(*arguments: object) -> Result:
    """Run a camera command to its end."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frames_on(kafka: KafkaSettings, topic: str, count: int) -> list[RawFrame]:
    """Read the first frames of a topic."""

    async def read() -> list[RawFrame]:
        frames: list[RawFrame] = []
        async with FrameSource(kafka.model_copy(update={"frame_topics": [topic]})) as source:
            async with asyncio.timeout(10):
                while len(frames) < count:
                    frames += await source.poll(count - len(frames))
        return frames

    return asyncio.run(read())


def headers_on(kafka: KafkaSettings, topic: str, count: int) -> list[FrameHeaders]:
    """Read what the camera said of the first frames."""
    return [decode_headers(frame.headers) for frame in frames_on(kafka, topic, count)]


def test_replay_publishes_the_files_own_bytes(images: Path, kafka: KafkaSettings) -> None:
    """In natural order, each with its place on the strip, under the camera's id."""
    topic = f"frames.{kafka.group_id}"

    result = camera(
        "replay", images, "--topic", topic, "--bootstrap", kafka.bootstrap_servers, "--rate", 500,
        "--line", "mill-2", "--side", "bottom", "--pitch-y-mm", 0.5, "--pitch-x-mm", 0.25,
        "--offset-mm", 12.5, "--coil", "B0099", "--coil-length", 0.03,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "3 frames" in result.output
    frames = frames_on(kafka, topic, 3)
    assert [frame.value for frame in frames] == [
        (images / f"frame{number}.png").read_bytes() for number in (1, 2, 10)
    ]
    assert {frame.key for frame in frames} == {kafka.group_id.encode()}
    said = [decode_headers(frame.headers) for frame in frames]
    assert [(each.coil, each.position_mm, each.sequence) for each in said] == [
        ("B0099", 0.0, 0),
        ("B0099", 16.0, 1),
        ("B0100", 0.0, 2),
    ]
    assert {
        (
            each.line,
            each.camera,
            each.side,
            each.pitch_x_mm,
            each.pitch_y_mm,
            each.offset_mm,
            each.content_type,
        )
        for each in said
    } == {("mill-2", kafka.group_id, "bottom", 0.25, 0.5, 12.5, "image/png")}


def test_a_loop_ends_after_so_many_frames(images: Path, kafka: KafkaSettings) -> None:
    """Three images give seven frames, at the pace of the line."""
    topic = f"frames.{kafka.group_id}"

    result = camera(
        "replay", images, "--topic", topic, "--bootstrap", kafka.bootstrap_servers, "--loop",
        "--frames", 7, "--speed", 10, "--camera", "cam7",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    said = headers_on(kafka, topic, 7)
    assert [each.sequence for each in said] == list(range(7))
    assert {each.camera for each in said} == {"cam7"}


def test_what_the_settings_know_of_the_camera_counts(
    images: Path, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """Address, line, side, pitch and offset may stand in the file; options count over them."""
    topic = f"frames.{kafka.group_id}"
    file = tmp_path / "stripsight.toml"
    file.write_text(
        f"""
        line = "mill-3"
        [kafka]
        bootstrap_servers = "{kafka.bootstrap_servers}"
        [cameras.{kafka.group_id}]
        side = "bottom"
        pitch_x_mm = 0.1
        pitch_y_mm = 0.3
        offset_mm = 40.0
        """
    )

    result = camera("replay", images, "--topic", topic, "--config", file, "--pitch-y-mm", 0.4)

    assert result.exit_code == 0, result.output
    said = headers_on(kafka, topic, 1)[0]
    assert (said.line, said.side, said.pitch_x_mm, said.pitch_y_mm, said.offset_mm) == (
        "mill-3",
        "bottom",
        0.1,
        0.4,
        40.0,
    )


def test_the_synthetic_strip_is_published(kafka: KafkaSettings) -> None:
    """The coil changes after the length given, in the headers as in the images."""
    topic = f"frames.{kafka.group_id}"

    result = camera(
        "synthetic", "--topic", topic, "--bootstrap", kafka.bootstrap_servers, "--seed", 3, "--frames", 3,
        "--coil-length", 0.06,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    frames = frames_on(kafka, topic, 3)
    assert [decode_headers(frame.headers).coil for frame in frames] == ["C0001", "C0001", "C0002"]
    image = cv2.imdecode(np.frombuffer(frames[0].value or b"", np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (256, 1600)


def test_two_paces_are_refused(images: Path) -> None:
    """Frames a second and line speed exclude each other."""
    result = camera("replay", images, "--topic", "frames.cam1", "--rate", 5, "--speed", 2)

    assert isinstance(result.exception, SettingsError)
    assert "--rate and --speed" in str(result.exception)


@pytest.mark.parametrize("topic", ["bad topic", "", "frames/cam1", "a" * 250])
def test_a_topic_that_kafka_does_not_know_is_refused(images: Path, topic: str) -> None:
    """Before anything is connected, the option is named, as is what a topic may be called."""
    result = camera("replay", images, "--topic", topic, "--bootstrap", "127.0.0.1:1", "--frames", 1)

    assert isinstance(result.exception, SettingsError)
    assert str(result.exception).startswith(
        f"--topic: {topic!r} is not allowed; allowed: text that matches ^"
    )


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [("--rate", 0, "rate"), ("--pitch-x-mm", 0, "pitch_x_mm"), ("--coil-length", -1, "coil_length")],
)
def test_impossible_values_are_refused(images: Path, option: str, value: float, named: str) -> None:
    """Zero is a value like any other, and not the same as an option that was not given."""
    result = camera("replay", images, "--topic", "frames.cam1", option, value)

    assert isinstance(result.exception, SettingsError)
    assert named in str(result.exception)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    """Nothing is connected to before the images are there."""
    result = camera("replay", tmp_path, "--topic", "frames.cam1", "--bootstrap", "127.0.0.1:1")

    assert isinstance(result.exception, ImageSourceError)
    assert str(tmp_path) in str(result.exception)


@pytest.mark.parametrize("command", ["replay", "synthetic"])
def test_help_tells_every_option(command: str) -> None:
    """Pace, strip and Kafka each have their panel."""
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120", "TERM": "dumb"})

    pace = ("--rate", "--speed", "--frames")
    strip = ("--line", "--camera", "--coil", "--coil-length", "--side", "--pitch-x-mm", "--pitch-y-mm")
    for option in ("--topic", *pace, *strip, "--offset-mm", "--bootstrap", "--config"):
        assert option in result.output
    assert "Pace and end" in result.output


async def test_ctrl_c_drains(images: Path, kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    """An endless replay that is interrupted ends well, with nothing unacknowledged."""
    topic = await make_topic("frames.cam1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", "camera", "replay", str(images), "--topic", topic,
        "--bootstrap", kafka.bootstrap_servers, "--loop", "--rate", "100",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with FrameSource(kafka.model_copy(update={"frame_topics": [topic]})) as source:
        async with asyncio.timeout(20):
            while not await source.poll(1):
                pass
    process.send_signal(signal.SIGINT)

    _, said = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 0, said
    assert b"m of strip" in said
    assert b"not acknowledged" not in said
