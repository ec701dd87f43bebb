"""The pictures in the documentation, of a run of the demo: ``python -m edge.demo.pictures docs/images``."""

import asyncio
import io
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import MONOKAI

from consumers.archive import DEFECTS_FILE, PICTURES_FOLDER
from edge.contracts.encoding import decode_record
from edge.contracts.results import Defect
from edge.daemon import Daemon
from edge.demo.options import DemoOptions
from edge.demo.session import DemoSession
from edge.demo.view import Scene, View
from edge.settings import ModelSettings
from edge.telemetry.logging import configure_logging

TERMINAL, FRAME = "terminal.svg", "annotated-frame.jpg"

# As wide as the view shows all columns; fourteen of the last defects fit in.
_COLUMNS, _ROWS = 96, 29

# Enough for every class to be seen, at a pace that two cores keep up with: half a minute.
_FRAMES = 60
_FRAMES_PER_S = 1.0
_SEED = 5


async def watch(options: DemoOptions, frames: int) -> str:
    """Run the demo until so many frames have their outcome; returns the live view of that moment, as SVG.

    Raises:
        ExceptionGroup: a part of the demo could not start, or failed.
    """
    session, stop, daemons = DemoSession(options), asyncio.Event(), list[Daemon]()
    async with asyncio.TaskGroup() as parts:
        parts.create_task(session.run(stop, on_ready=daemons.append))
        await session.account.settled(frames)
        console = Console(record=True, width=_COLUMNS, height=_ROWS, file=io.StringIO(), force_terminal=True)
        console.print(View(session.account, Scene.of(daemons[0]), console))
        stop.set()
    return _without_fonts(console.export_svg(title="make demo", theme=MONOKAI, unique_id="terminal"))


def richest_picture(archive: Path) -> Path:
    """Return the picture of a demo's archive with the most classes on it, then defects, then certainty."""
    by_frame: defaultdict[tuple[str, str | None, int | None], list[Defect]] = defaultdict(list)
    for line in (archive / DEFECTS_FILE).read_bytes().splitlines():
        defect = decode_record(line, Defect)
        by_frame[defect.frame.camera, defect.frame.coil, defect.frame.sequence].append(defect)
    camera, coil, sequence = max(by_frame, key=lambda frame: _richness(by_frame[frame]))
    return archive / PICTURES_FOLDER / f"{camera}_{coil}_{sequence:08d}.jpg"


def take_pictures(folder: Path, options: DemoOptions, frames: int) -> None:
    """Write both pictures into a folder.

    Args:
        folder: is made where it is missing.
        options: of the demo; it keeps its archive elsewhere.
        frames: after so many the view is taken.
    """
    assert options.out is not None  # noqa: S101 - the frame's picture comes from there
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TERMINAL).write_text(asyncio.run(watch(options, frames)))
    shutil.copyfile(richest_picture(options.out), folder / FRAME)


def _richness(defects: list[Defect]) -> tuple[int, int, float]:
    classes = {defect.class_id for defect in defects}
    return len(classes), len(defects), min(defect.score for defect in defects)


def _without_fonts(svg: str) -> str:
    """A picture loads nothing; where the reader has no Fira Code, another monospaced font does as well."""
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def main(folder: Path) -> None:
    """Take the pictures with the model that is bundled, on the port that the daemon has by default."""
    configure_logging("error")
    with TemporaryDirectory() as archive:
        options = DemoOptions(
            source=None,
            cameras=2,
            rate=_FRAMES_PER_S,
            frames=None,
            out=Path(archive),
            port=9108,
            seed=_SEED,
            model=ModelSettings(),
        )
        take_pictures(folder, options, _FRAMES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
