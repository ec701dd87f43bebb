"""Kaggle's submission file."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import OutputError
from edge.training.data import rle
from edge.training.evaluation.dice import dice
from edge.training.evaluation.judge import evaluate_detections
from edge.training.evaluation.submission import rows_of, write_submission

NAMES = ("pit", "scratch")
THRESHOLDS = (0.4, 0.6)


@pytest.mark.parametrize("joined_ids", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_kaggle_would_find_the_dice_that_evaluate_finds(
    chance_frames: Callable, tmp_path: Path, seed: int, joined_ids: bool
) -> None:
    """Read back row by row and scored on whole frames."""
    frames, found = chance_frames(seed)
    rows = [r for f, d in zip(frames, found, strict=True) for r in rows_of(f.name, d, THRESHOLDS, (24, 40))]
    write_submission(tmp_path / "submission.csv", rows, joined_ids=joined_ids)

    scores = []
    with (tmp_path / "submission.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            image_id, class_id = (
                row["ImageId_ClassId"].rsplit("_", 1) if joined_ids else (row["ImageId"], row["ClassId"])
            )
            (truth,) = (f.mask_of_class(int(class_id) - 1) for f in frames if f.name == image_id)
            scores.append(dice(rle.decode(row["EncodedPixels"], 24, 40), truth))

    assert len(scores) == 2 * len(frames)
    evaluation = evaluate_detections(frames, found, NAMES, thresholds=THRESHOLDS)
    assert np.mean(scores) == pytest.approx(evaluation.total.dice)


def test_the_file_to_the_letter(detections: Callable, square: Callable, tmp_path: Path) -> None:
    """Pixels count down the columns from 1; masks that overlap are one; what is not found is empty."""
    found = detections((square(0, size=2), 0.9, 1), (square(1, size=2), 0.8, 1), (square(5), 0.3, 1))
    masks = write_submission(
        tmp_path / "new" / "s.csv", rows_of("a.jpg", found, (0.5, 0.5), (16, 16)), joined_ids=False
    )
    assert (tmp_path / "new" / "s.csv").read_text() == (
        "ImageId,EncodedPixels,ClassId\na.jpg,,1\na.jpg,1 2 17 2 33 2,2\n"
    )
    assert masks == 1


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the reason and the option."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*--out"):
        write_submission(tmp_path / "file" / "s.csv", [], joined_ids=False)
