"""A submission to Kaggle's Severstal competition: for each image and class the union of its masks."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path

import numpy as np

from edge.errors import OutputError
from edge.training.data import rle
from edge.training.evaluation.regions import mask_of_box, paste
from edge.vision.detections import Detections

# ImageId, ClassId from 1, EncodedPixels: empty where nothing was found.
Row = tuple[str, int, str]


def rows_of(
    image_id: str, found: Detections, thresholds: Sequence[float], size: tuple[int, int]
) -> Iterator[Row]:
    """One row for each class, in order.

    Args:
        image_id: the file's name.
        found: detections on the image; one without a mask fills its box.
        thresholds: the score that each class must exceed.
        size: height, width px.
    """
    height, width = size
    masks = found.masks or [mask_of_box(box, height, width) for box in found.boxes]
    for class_id, threshold in enumerate(thresholds):
        union = np.zeros(size, np.bool_)
        # In float32, as the model compares.
        chosen = (found.classes == class_id) & (found.scores > np.float32(threshold))
        for mask in compress(masks, chosen):
            paste(mask, union, value=1)
        yield image_id, class_id + 1, rle.encode(union)


def write_submission(path: Path, rows: Iterable[Row], *, joined_ids: bool) -> int:
    """Write the table and return the number of rows with a mask.

    Args:
        path: the file; it appears when all rows are there.
        rows: in the order of the file.
        joined_ids: ``ImageId_ClassId,EncodedPixels``, as the competition had it in 2019, instead of
            ``ImageId,EncodedPixels,ClassId``.

    Raises:
        OutputError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.part")
    masks = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(
                ("ImageId_ClassId", "EncodedPixels")
                if joined_ids
                else ("ImageId", "EncodedPixels", "ClassId")
            )
            for image_id, class_id, pixels in rows:
                masks += bool(pixels)
                row = (f"{image_id}_{class_id}", pixels) if joined_ids else (image_id, pixels, class_id)
                table.writerow(row)
        unfinished.replace(path)
    except OSError as error:
        place = error.filename or path
        raise OutputError(f"cannot write {place}: {error.strerror or error} (--out {path})") from error
    return masks
