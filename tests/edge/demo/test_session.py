"""A whole run of the demo, with the fake runtime in place of the model."""

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from consumers.archive import DEFECTS_FILE, INSPECTIONS_FILE, PICTURES_FOLDER
from edge.contracts import Defect, Inspection
from edge.daemon import Daemon
from edge.demo.options import DemoOptions
from edge.demo.session import DemoSession
from edge.errors import ImageSourceError, OutputError, PortInUseError
from edge.settings import ModelSettings
from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg

FRAMES = 15


def options(out: Path | None = None, **changed: object) -> DemoOptions:
    """Two cameras in a hurry."""
    standard: dict[str, object] = {
        "source": None,
        "cameras": 2,
        "rate": 1000.0,
        "frames": FRAMES,
        "out": out,
        "port": 0,
        "seed": 1,
        "model": ModelSettings(runtime="fake"),
    }
    return DemoOptions(**(standard | changed))  # type: ignore[arg-type] # by name


async def test_the_account_closes_and_the_files_tell_of_every_frame(tmp_path: Path) -> None:
    """So many frames in all: each has its inspection, each with defects its picture."""
    session = DemoSession(options(tmp_path))
    await session.run(asyncio.Event(), on_ready=lambda _: None)
    account = session.account
    assert account.is_closed
    assert [account.cameras[name].published for name in ("cam1", "cam2")] == [8, 7]
    inspections = _lines(tmp_path / INSPECTIONS_FILE, Inspection)
    assert sorted((each.frame.camera, each.frame.sequence) for each in inspections) == [
        *(("cam1", number) for number in range(8)),
        *(("cam2", number) for number in range(7)),
    ]
    assert len(_lines(tmp_path / DEFECTS_FILE, Defect)) == FRAMES
    assert len(list((tmp_path / PICTURES_FOLDER).iterdir())) == FRAMES


async def test_a_stop_drains_and_still_closes_the_account() -> None:
    """Ctrl-C in the middle of an endless run: what was published is inspected, and the metrics agree."""
    session, stop = DemoSession(options(frames=None)), asyncio.Event()
    daemons: list[Daemon] = []
    run = asyncio.create_task(session.run(stop, on_ready=daemons.append))
    async with asyncio.timeout(20):
        while session.account.outcomes["inspected"] < 10:  # noqa: ASYNC110 - the account has no event for it
            await asyncio.sleep(0.01)
    stop.set()
    await run
    assert session.account.is_closed
    inspected = daemons[0].metrics.registry.get_sample_value(
        "stripsight_frames_total", {"line": "demo", "camera": "cam1", "outcome": "inspected"}
    )
    assert inspected == session.account.cameras["cam1"].published


async def test_images_of_a_folder_are_dealt_out_to_the_cameras(tmp_path: Path) -> None:
    """No image is seen twice before all were seen; a corrupt one is failed and accounted for."""
    images = tmp_path / "images"
    images.mkdir()
    strip = SyntheticStrip(seed=1)
    for number in range(4):
        value = encode_grey_jpeg(strip.frame(number).image)
        (images / f"{number}.jpg").write_bytes(value if number else value[:5000])
    session = DemoSession(options(tmp_path / "out", source=str(images), frames=4))
    await session.run(asyncio.Event(), on_ready=lambda _: None)
    assert session.account.is_closed
    assert (session.account.outcomes["inspected"], session.account.outcomes["failed"]) == (3, 1)


async def test_a_part_that_fails_ends_the_others_and_is_named() -> None:
    """A port that is taken is said as such, and nothing hangs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        session = DemoSession(options(port=taken.getsockname()[1]))
        with pytest.raises(PortInUseError):
            await session.run(asyncio.Event(), on_ready=lambda _: None)


async def test_a_folder_that_fails_in_the_middle_of_a_run_is_named(tmp_path: Path) -> None:
    """The failure itself reaches the command line, out of however many groups of tasks."""
    session = DemoSession(options(tmp_path))

    def take_folder_away(_: Daemon) -> None:
        (tmp_path / PICTURES_FOLDER).rmdir()

    async with asyncio.timeout(20):
        with pytest.raises(OutputError, match=r"cannot write .*pictures"):
            await session.run(asyncio.Event(), on_ready=take_folder_away)


def test_a_source_without_images_is_named(tmp_path: Path) -> None:
    """The run does not start, and the message names the place."""
    with pytest.raises(ImageSourceError, match=str(tmp_path)):
        DemoSession(options(source=str(tmp_path)))


def _lines(path: Path, record_type: type[msgspec.Struct]) -> list[msgspec.Struct]:
    return [msgspec.json.decode(line, type=record_type) for line in path.read_bytes().splitlines()]
