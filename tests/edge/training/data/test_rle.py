"""Kaggle's run lengths: there and back again."""

import csv
import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edge.errors import RunsError
from edge.training.data import rle


def test_runs_go_down_the_columns_from_one() -> None:
    """Pixel 1 is the first of the first column, pixel 257 the first of the second."""
    mask = rle.decode("1 3 257 1", 256, 1600)
    assert mask.shape == (256, 1600)
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [1, 0], [2, 0]]


@settings(deadline=None, max_examples=40)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_every_mask_survives(mask: npt.NDArray[np.bool_]) -> None:
    """Decoding undoes encoding, and the text is the only one: sorted runs that do not touch."""
    text = rle.encode(mask)
    assert np.array_equal(rle.decode(text, *mask.shape), mask)
    runs = rle.parse_runs(text, mask.size)
    assert rle.is_sorted(runs)
    assert (runs[1:, 0] > runs[:-1].sum(axis=1)).all()


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet="0123456789- e.x", max_size=30))
def test_a_text_is_decoded_or_refused(text: str) -> None:
    """Nothing else is ever raised, and what is decoded has as many pixels as the runs say."""
    try:
        runs = rle.parse_runs(text, 48)
    except RunsError:
        return
    assert rle.decode(text, 6, 8).sum() == runs[:, 1].sum()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1", "pairs"),
        ("1 2 3", "pairs"),
        ("one two", "no whole numbers"),
        ("1.5 2", "no whole numbers"),
        ("99999999999999999999 1", "no whole numbers"),
        ("0 5", "leaves the picture"),
        ("-3 4", "leaves the picture"),
        ("409600 2", "'409600 2' leaves the picture"),
        ("5 9223372036854775807", "leaves the picture"),
        ("5 0", "has no pixel"),
        ("5 10 14 2", "'14 2' overlaps"),
        ("14 2 5 10", "'14 2' overlaps"),
    ],
)
def test_broken_runs_are_refused(text: str, reason: str) -> None:
    """The error says what is wrong with which run."""
    with pytest.raises(RunsError, match=reason):
        rle.parse_runs(text, 256 * 1600)


def test_no_run_is_an_empty_mask() -> None:
    """As the older form of the table says that a class is absent."""
    assert not rle.decode("", 3, 4).any()
    assert rle.encode(np.zeros((3, 4), np.bool_)) == ""


def test_every_real_mask_comes_back_to_the_letter(shared_data: Path) -> None:
    """5,171 rows of Severstal's table."""
    with gzip.open(shared_data / "severstal" / "train_rle.csv.gz", "rt", newline="") as file:
        texts = [row["EncodedPixels"] for row in csv.DictReader(file)]
    changed = [text for text in texts if rle.encode(rle.decode(text, 256, 1600)) != text]
    assert (len(texts), changed) == (5171, [])
