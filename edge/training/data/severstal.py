"""Severstal's annotated frames, as Kaggle gives them: ``train.csv`` and a folder of pictures.

Pictures lie in ``train_images`` or beside the table; those without a row are clean. A ``frames.csv`` with the
columns ``ImageId,file,labels`` may say where each picture lies and how it is labelled: ``masks``, ``clean``,
or ``boxes``: those have no masks that anybody knows, and therefore are no part of the set.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.data import rle
from edge.training.data.problems import Problem
from edge.training.data.train_csv import MaskRow, lines_of, read_train_csv
from edge.training.dataset import Dataset, DeferredInstances, LabelledFrame
from edge.training.samples import Instance, tight_instance

FRAME_HEIGHT_PX, FRAME_WIDTH_PX = 256, 1600
CLASS_NAMES = ("defect_1", "defect_2", "defect_3", "defect_4")
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def read_severstal(train_csv: Path) -> tuple[Dataset, list[Problem]]:
    """Read ``train.csv`` and what lies beside it, and all that is wrong; no picture is opened.

    The set is worth something only if none of the problems is an error.
    """
    rows, problems = read_train_csv(train_csv, len(CLASS_NAMES), FRAME_HEIGHT_PX * FRAME_WIDTH_PX)
    frames_csv = train_csv.parent / "frames.csv"
    try:
        listing = _read_listing(frames_csv)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        listing = None
        problems.append(Problem(file=frames_csv, message=f"cannot be read: {error}"))
    if listing is None:
        pictures = _pictures_beside(train_csv)
        without_masks: set[str] = set()
    else:
        pictures, without_masks, wrong = _listed_pictures(listing, frames_csv)
        problems += [*wrong, *_contradictions(listing, rows, frames_csv)]
    for frame, line in lines_of(rows).items():
        if frame not in pictures and frame not in without_masks:
            problems.append(
                Problem(file=train_csv, line=line, frame=frame, message="there is no such picture")
            )
    masks: dict[str, list[MaskRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.class_id):
        if row.runs.size:
            masks[row.frame].append(row)
    frames = tuple(_frame(pictures[name], masks.get(name, ())) for name in sorted(pictures))
    return Dataset(train_csv.resolve().parent.name, CLASS_NAMES, frames), problems


def _pictures_beside(train_csv: Path) -> dict[str, Path]:
    folder = train_csv.parent / "train_images"
    folder = folder if folder.is_dir() else train_csv.parent
    pictures = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return {path.name: path for path in pictures if not path.is_dir()}


def _read_listing(frames_csv: Path) -> dict[int, dict[str, str]] | None:
    """The lines of ``frames.csv`` by number; None if there is none, or it does not tell about labels.

    Raises:
        OSError | UnicodeDecodeError | csv.Error: it cannot be read.
    """
    if not frames_csv.is_file():
        return None
    with frames_csv.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        if not {"ImageId", "file", "labels"} <= set(reader.fieldnames or ()):
            return None
        rows = ((reader.line_num, row) for row in reader)
        return dict(rows)


def _listed_pictures(
    listing: dict[int, dict[str, str]], frames_csv: Path
) -> tuple[dict[str, Path], set[str], list[Problem]]:
    """The pictures of frames that are labelled in full, the names of the others, and what is wrong."""
    pictures: dict[str, Path] = {}
    names: set[str] = set()
    without_masks: set[str] = set()
    problems = []
    for line, row in listing.items():
        frame, path = row["ImageId"], frames_csv.parent / row["file"]
        if row["labels"] == "boxes":
            without_masks.add(frame)
            continue
        message = ""
        if row["labels"] not in {"masks", "clean"}:
            message = f"labels are masks, clean or boxes, not {row['labels']!r}"
        elif frame in pictures:
            message = "the frame is listed already"
        elif not path.is_file():
            message = f"there is no picture {row['file']!r}"
        elif path.name in names:
            message = f"another frame has a picture of this name, {path.name!r}"
        if message:
            problems.append(Problem(file=frames_csv, line=line, frame=frame, message=message))
        pictures.setdefault(frame, path)
        names.add(path.name)
    return pictures, without_masks, problems


def _contradictions(
    listing: dict[int, dict[str, str]], rows: Sequence[MaskRow], frames_csv: Path
) -> Iterator[Problem]:
    with_masks = {row.frame for row in rows if row.runs.size}
    for line, row in listing.items():
        if row["labels"] == "clean" and row["ImageId"] in with_masks:
            message = "the frame is listed as clean, but has masks in train.csv"
        elif row["labels"] == "boxes" and row["ImageId"] in with_masks:
            message = "the frame is listed with boxes alone, but has masks in train.csv"
        elif row["labels"] == "masks" and row["ImageId"] not in with_masks:
            message = "the frame is listed with masks, but has none in train.csv"
        else:
            continue
        yield Problem(file=frames_csv, line=line, frame=row["ImageId"], message=message)


def _frame(path: Path, rows: Sequence[MaskRow]) -> LabelledFrame:
    instances = DeferredInstances(partial(_instances, rows)) if rows else ()
    return LabelledFrame(path, FRAME_HEIGHT_PX, FRAME_WIDTH_PX, instances)


def _instances(rows: Sequence[MaskRow]) -> tuple[Instance, ...]:
    return tuple(instance for row in rows for instance in components(row.class_id, row.runs))


def components(class_id: int, runs: rle.Runs) -> Iterator[Instance]:
    """The 8-connected components of a class's mask: what the model is to find one by one."""
    if not runs.size:
        return
    # Most masks are narrow, so only the columns that they touch are filled.
    first = int(runs[:, 0].min()) // FRAME_HEIGHT_PX
    last = int(runs.sum(axis=1).max() - 1) // FRAME_HEIGHT_PX
    flat = rle.fill(runs - (first * FRAME_HEIGHT_PX, 0), (last + 1 - first) * FRAME_HEIGHT_PX)
    mask = np.ascontiguousarray(flat.reshape(-1, FRAME_HEIGHT_PX).T, dtype=np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for label in range(1, count):
        x, y, width, height = (int(value) for value in boxes[label, :4])
        crop: npt.NDArray[np.bool_] = labels[y : y + height, x : x + width] == label
        instance = tight_instance(class_id, crop, x + first, y)
        if instance is not None:
            yield instance
