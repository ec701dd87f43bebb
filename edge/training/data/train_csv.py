"""Kaggle's table of masks, in both of its forms.

``ImageId,ClassId,EncodedPixels`` has a line for each class that is on a picture; the older
``ImageId_ClassId,EncodedPixels`` has one for each class, and where it is absent the mask is empty.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DatasetError
from edge.training.data import rle
from edge.training.data.problems import Problem

_COLUMNS = {"ImageId", "ClassId", "EncodedPixels"}
_OLDER_COLUMNS = {"ImageId_ClassId", "EncodedPixels"}
_LONGEST_RUN = 20  # characters; and no mask has more runs than pixels


@dataclass(frozen=True, slots=True)
class MaskRow:
    """One class on one frame; ``class_id`` counts from 0, no run means that the class is absent."""

    line: int
    frame: str
    class_id: int
    runs: rle.Runs


def read_train_csv(path: Path, classes: int, pixels: int) -> tuple[list[MaskRow], list[Problem]]:
    """Read the masks of pictures of ``pixels`` pixels, and all that is wrong with them.

    Lines with an error, and those that repeat a frame and class, are left out of the rows.
    """
    rows: dict[tuple[str, int], MaskRow] = {}
    problems: list[Problem] = []
    csv.field_size_limit(pixels * _LONGEST_RUN)  # Python's own, 131,072 characters, is below a rich mask
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for item in _read(csv.DictReader(file), path, classes, pixels):
                if isinstance(item, Problem):
                    problems.append(item)
                    continue
                first = rows.setdefault((item.frame, item.class_id), item)
                if first is not item:
                    message = f"class {item.class_id + 1} has a mask already, on line {first.line}"
                    problems.append(Problem(file=path, line=item.line, frame=item.frame, message=message))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(file=path, message=f"cannot be read: {error}"))
    return list(rows.values()), problems


def _read(
    reader: "csv.DictReader[str]", path: Path, classes: int, pixels: int
) -> Iterator[MaskRow | Problem]:
    columns = set(reader.fieldnames or ())
    if not (columns >= _COLUMNS or columns >= _OLDER_COLUMNS):
        message = "the columns are neither ImageId,ClassId,EncodedPixels nor ImageId_ClassId,EncodedPixels"
        yield Problem(file=path, line=1, message=message)
        return
    for fields in reader:
        line = reader.line_num
        if None in fields or None in fields.values():
            # Where a file is cut off: taken as no pixels, it would make a defect clean steel.
            message = f"the line does not have the header's {len(reader.fieldnames or ())} fields"
            yield Problem(file=path, line=line, message=message)
            continue
        frame, class_text = _frame_and_class(fields)
        try:
            runs = rle.parse_runs(fields["EncodedPixels"], pixels)
            row = MaskRow(line, frame, _class_id(class_text, classes), runs)
        except DatasetError as error:
            yield Problem(file=path, line=line, frame=frame, message=str(error))
            continue
        yield row
        if not rle.is_sorted(runs):
            message = "runs are not in the order of their pixels"
            yield Problem(severity="warning", file=path, line=line, frame=frame, message=message)


def _frame_and_class(fields: dict[str, str]) -> tuple[str, str]:
    if "ClassId" in fields:
        return fields["ImageId"], fields["ClassId"]
    frame, _, class_text = fields["ImageId_ClassId"].rpartition("_")
    return frame, class_text


def _class_id(text: str, classes: int) -> int:
    known = [str(number) for number in range(1, classes + 1)]
    if text.strip() not in known:
        raise DatasetError(f"unknown class {text!r}; known are {', '.join(known)}")
    return int(text) - 1


def lines_of(rows: Iterable[MaskRow]) -> dict[str, int]:
    """The first line of each frame."""
    lines: dict[str, int] = {}
    for row in rows:
        lines.setdefault(row.frame, row.line)
    return lines
