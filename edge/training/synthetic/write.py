"""Write a drawn strip to files, in the format of Severstal's data set.

``train_images/*.jpg`` are coded as the real ones are: 1600x256, quality 90, three equal channels.
``train.csv`` has ``ImageId,ClassId,EncodedPixels``, one row for each class that a frame shows. ``strip.yaml``
says what was drawn. The table is written last and at once: a folder without it was interrupted.
"""

import csv
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from edge.errors import OutputError
from edge.training.data import rle
from edge.training.data.progress import Progress, untold
from edge.training.synthetic.sizes import BALANCED_COMBINATIONS
from edge.training.synthetic.strip import NATURAL_DEFECT_RATE, GroundTruth, SyntheticStrip

TABLE, PICTURES, SETTINGS = "train.csv", "train_images", "strip.yaml"
JPEG_QUALITY = 90  # the quantisation table of Severstal's own files
_FRAMES_PER_TASK = 8  # of one process, between two reports of progress

Row = tuple[str, int, str]  # ImageId, ClassId from 1, EncodedPixels


@dataclass(frozen=True, slots=True)
class StripSettings:
    """What is drawn; together with the frame's number, it determines every byte.

    Every frame is of another coil, so that few frames show much. ``balanced`` makes no class rare.
    """

    frames: int
    seed: int
    balanced: bool = False
    defect_rate: float = NATURAL_DEFECT_RATE

    def strip(self) -> SyntheticStrip:
        """The strip that these settings mean."""
        combinations = BALANCED_COMBINATIONS if self.balanced else None
        return SyntheticStrip(
            self.seed, defect_rate=self.defect_rate, frames_per_coil=1, combinations=combinations
        )

    def name(self, index: int) -> str:
        """The file of a frame; seeds differ in it, so that two strips may share a folder of pictures."""
        return f"strip{self.seed}-{index:06d}.jpg"


def write_strip(
    out: Path,
    settings: StripSettings,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress = untold,
) -> int:
    """Draw a strip into a folder and return the number of rows of its table.

    Args:
        out: made if need be.
        settings: what is drawn.
        jobs: processes that draw; the files do not depend on it.
        overwrite: whether an earlier strip in ``out`` is replaced.
        progress: told how many frames are written, of how many.

    Raises:
        OutputError: the folder holds something else, or an earlier strip without ``overwrite``, or cannot be
            written to, or a process that draws was ended; what that leaves has no ``train.csv``.
    """
    try:
        _clear(out, overwrite=overwrite)
        pictures = out / PICTURES
        pictures.mkdir(parents=True, exist_ok=True)
        (out / SETTINGS).write_text(yaml.safe_dump(asdict(settings), sort_keys=False), encoding="utf-8")
        rows, done = [], 0
        for drawn, found in _drawn(settings, pictures, jobs):
            rows += found
            done += drawn
            progress(done, settings.frames)
        _write_table(out / TABLE, rows)
    except OSError as error:
        place = error.filename or out
        raise OutputError(f"cannot write {place}: {error.strerror or error} (--out {out})") from error
    except BrokenExecutor as error:
        message = "a process that draws was ended from outside, as when memory is short"
        raise OutputError(f"{out}: {message}; try fewer --jobs, with --overwrite") from error
    return len(rows)


def write_frames(settings: StripSettings, pictures: Path, indices: Sequence[int]) -> list[Row]:
    """Draw some frames into a folder of pictures and return their rows, in order.

    Raises:
        OSError: a picture could not be written.
    """
    strip = settings.strip()
    rows = []
    for index in indices:
        frame, name = strip.frame(index), settings.name(index)
        (pictures / name).write_bytes(encode_as_severstal(frame.image))
        rows += table_rows(name, frame.image.shape, frame.defects)
    return rows


def encode_as_severstal(image: npt.NDArray[np.uint8]) -> bytes:
    """Encode a (H, W) picture as JPEG like the real files: R = G = B, colour at half resolution."""
    # 4:2:0 is OpenCV's default, and the real files'.
    _, encoded = cv2.imencode(".jpg", cv2.merge([image] * 3), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def table_rows(name: str, shape: tuple[int, ...], defects: Sequence[GroundTruth]) -> list[Row]:
    """One row for each class, its components united, as Kaggle's table has it."""
    rows = []
    for class_id in sorted({defect.class_id for defect in defects}):
        union = np.zeros(shape, np.bool_)
        for defect in defects:
            if defect.class_id == class_id:
                x0, y0, x1, y1 = defect.box_px
                union[y0:y1, x0:x1] |= defect.mask.decode()
        rows.append((name, class_id + 1, rle.encode(union)))
    return rows


def _clear(out: Path, *, overwrite: bool) -> None:
    """Make sure that the folder is empty, or remove the strip that was drawn into it."""
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / SETTINGS).is_file():
        raise OutputError(f"{out} is not empty and holds no synthetic strip; name another folder (--out)")
    if not overwrite:
        state = "a synthetic strip" if (out / TABLE).is_file() else "a synthetic strip that was interrupted"
        raise OutputError(f"{out} holds {state}; draw it anew with --overwrite, or name another --out")
    # The table goes first: from here on, the folder is an unfinished one.
    for path in (out / TABLE, *(out / PICTURES).glob("strip*.jpg")):
        path.unlink(missing_ok=True)


def _drawn(settings: StripSettings, pictures: Path, jobs: int) -> Iterator[tuple[int, list[Row]]]:
    """Yield, in order, how many frames a task has drawn, and their rows."""
    tasks = [
        range(first, min(first + _FRAMES_PER_TASK, settings.frames))
        for first in range(0, settings.frames, _FRAMES_PER_TASK)
    ]
    draw = partial(write_frames, settings, pictures)
    if jobs == 1:
        yield from ((len(task), draw(task)) for task in tasks)
        return
    with _processes(min(jobs, len(tasks))) as pool:
        for task, rows in zip(tasks, pool.map(draw, tasks), strict=True):
            yield len(task), rows


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, for a fork would copy locks that the progress bar's thread holds.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_be_a_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _be_a_worker() -> None:
    """Leave Ctrl-C to the parent, and the other cores to the other processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write Kaggle's table under another name, then give it its own."""
    unfinished = path.with_suffix(".csv.part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("ImageId", "ClassId", "EncodedPixels"))
        table.writerows(rows)
    unfinished.replace(path)
