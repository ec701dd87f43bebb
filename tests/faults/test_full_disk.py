"""Who writes results to disk runs out of room."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.archive import Archive
from edge.demo.account import Account
from edge.demo.bookkeeper import Bookkeeper
from edge.errors import OutputError
from edge.settings import Settings
from tests.conftest import skip_or_fail
from tests.faults.conftest import Close
from tests.support.cameras import Cameras
from tests.support.line import running

ROOM_KIB = 64


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_KIB}k", "tmpfs", str(tmp_path)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail("root", f"no file system can be mounted here: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)  # noqa: S607 - the system's own


async def test_disk_full_for_out(settings: Settings, small_disk: Path, close: Close) -> None:
    """The archive says which folder is full, and which flag chose it; the daemon goes on without it."""
    kafka = settings.kafka
    archive = Archive(small_disk)
    books = Bookkeeper(
        kafka, Account([topic.removeprefix("frames.") for topic in kafka.frame_topics or []]), archive
    )
    async with running(settings), Cameras(kafka) as cameras:
        async with books:
            keeping = asyncio.create_task(books.run())
            while not keeping.done():
                await cameras.publish_more(10)
            with pytest.raises(ExceptionGroup) as failed:
                await keeping
        await cameras.publish_more(60)
        await cameras.finish()
        await close()
    (error,) = failed.value.exceptions
    assert isinstance(error, OutputError)
    assert f"--out {small_disk}" in str(error)
    assert "No space left" in str(error)
    with contextlib.suppress(OutputError):
        archive.close()
