"""Severstal's annotated frames, as Kaggle gives them: ``train.csv`` and a folder of pictures."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import CorruptImageError, RecordError
from edge.training.samples import Instance, Sample, tight_instance

FRAME_HEIGHT_PX, FRAME_WIDTH_PX = 256, 1600
_HELD_OUT_PART = 5

# Class ids from 0 and their pixels' runs: [(class_id, rle), ...] by frame.
Rows = Mapping[str, list[tuple[int, str]]]


def decode_rle(rle: str) -> npt.NDArray[np.bool_]:
    """Decode ``start length start length ...`` (1-based, down the columns) to a (256, 1600) bool mask.

    Raises:
        RecordError: the runs are no pairs of positive numbers within the frame.
    """
    try:
        numbers = np.array(rle.split(), dtype=np.int64)
    except ValueError as error:
        raise RecordError(f"mask runs are no numbers: {rle[:40]!r}") from error
    starts, lengths = numbers[0::2] - 1, numbers[1::2]
    size = FRAME_HEIGHT_PX * FRAME_WIDTH_PX
    if len(numbers) % 2 or (starts < 0).any() or (lengths < 1).any() or (starts + lengths > size).any():
        raise RecordError(f"mask runs leave the frame or come in no pairs: {rle[:40]!r}")
    # +1 where a run starts and -1 after its end; a running sum of that is the mask.
    steps = np.zeros(size + 1, np.int32)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + lengths, -1)
    return steps[:-1].cumsum().astype(np.bool_).reshape(FRAME_WIDTH_PX, FRAME_HEIGHT_PX).T


def read_rows(train_csv: Path) -> dict[str, list[tuple[int, str]]]:
    """Read ``ImageId,ClassId,EncodedPixels``; class ids are made to count from 0."""
    rows: dict[str, list[tuple[int, str]]] = defaultdict(list)
    with train_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["ImageId"]].append((int(row["ClassId"]) - 1, row["EncodedPixels"]))
    return dict(rows)


def components(class_id: int, mask: npt.NDArray[np.bool_]) -> list[Instance]:
    """The 8-connected components of a class's mask: what the model is to find one by one."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, count):
        x, y, width, height = (int(value) for value in boxes[label, :4])
        crop = labels[y : y + height, x : x + width] == label
        instance = tight_instance(class_id, crop, x, y)
        if instance is not None:
            found.append(instance)
    return found


def read_frame(path: Path, rows: Iterable[tuple[int, str]] = ()) -> Sample:
    """Read a picture (its R = G = B) and its defects.

    Raises:
        CorruptImageError: the file is no picture.
        RecordError: its masks are broken.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise CorruptImageError(f"{path}: cannot be read as a picture")
    instances = [i for class_id, rle in rows for i in components(class_id, decode_rle(rle))]
    return Sample(np.asarray(image, dtype=np.uint8), tuple(instances), name=path.stem)


def read_frames(folder: Path) -> list[Sample]:
    """Read all frames whose annotation is complete: those with masks, and those listed as clean.

    ``folder`` holds ``train.csv`` and ``frames.csv`` (``ImageId,file,classes,labels,...``).
    """
    rows = read_rows(folder / "train.csv")
    with (folder / "frames.csv").open(newline="", encoding="utf-8") as file:
        listed = [row for row in csv.DictReader(file) if row["labels"] in ("masks", "clean")]
    return [read_frame(folder / row["file"], rows.get(row["ImageId"], ())) for row in listed]


def held_out(name: str) -> bool:
    """Whether a frame is kept for validation: one in five, by its name, the same for ever."""
    return hashlib.sha256(name.encode()).digest()[0] % _HELD_OUT_PART == 0
