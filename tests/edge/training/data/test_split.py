"""Folds: every frame once, the same steel together, the same classes everywhere."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import DatasetError, OutputError
from edge.training.data.split import assign_folds, deal_out, make_split, read_split, write_split
from edge.training.dataset import Dataset

MakeDataset = Callable[..., Dataset]
BOX = (10, 10, 30, 30)

counts_of_groups = arrays(
    np.int64, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=st.integers(0, 2)
)


@settings(deadline=None, max_examples=40)
@given(counts_of_groups, st.integers(2, 5), st.integers(0, 99))
def test_each_group_has_a_fold_and_the_same_seed_the_same_one(
    counts: np.ndarray, folds: int, seed: int
) -> None:
    """Nothing is left out, nothing depends on chance alone."""
    counts[:, 0] += counts.sum(axis=1) == 0  # each frame has a label
    dealt = deal_out(counts, folds, seed)
    assert len(dealt) == len(counts)
    assert set(dealt) <= set(range(folds))
    assert dealt == deal_out(counts, folds, seed)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=20, max_size=120), st.integers(2, 6), st.integers(0, 99))
def test_single_labels_are_dealt_out_evenly(labels: list[int], folds: int, seed: int) -> None:
    """No fold has two frames of a class more than another one."""
    counts = np.eye(5, dtype=np.int64)[labels]
    dealt = np.array(deal_out(counts, folds, seed))
    by_fold = np.array([counts[dealt == fold].sum(axis=0) for fold in range(folds)])
    assert (by_fold.max(axis=0) - by_fold.min(axis=0) <= 1).all()


def test_frames_of_several_classes_and_groups_are_balanced() -> None:
    """As frequent as Severstal's classes and combinations: each class within two frames of its share."""
    rng = np.random.default_rng(3)
    kinds = np.array(
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 1], [0, 1, 0, 1, 0]]
    )
    frames = kinds[rng.choice(len(kinds), 800, p=[0.47, 0.07, 0.03, 0.36, 0.05, 0.02])]
    counts = np.add.reduceat(frames, np.sort(rng.choice(np.arange(1, 800), 500, replace=False)))
    dealt = np.array(deal_out(counts, 5, seed=1))
    by_fold = np.array([counts[dealt == fold].sum(axis=0) for fold in range(5)])
    assert np.abs(by_fold - counts.sum(axis=0) / 5).max() <= 2


def with_copy(dataset: Dataset, copied: str, name: str) -> Dataset:
    """The set with one frame more, which is a copy of another one."""
    frame = next(frame for frame in dataset.frames if frame.name == copied)
    path = frame.path.with_name(name)
    shutil.copy(frame.path, path)
    return dataset.only([*dataset.frames, replace(frame, path=path)])


@pytest.fixture
def dataset(make_dataset: MakeDataset) -> Dataset:
    """Nine frames, of which three show scratches, three scale, and three nothing; and a copy of one."""
    marks = {f"{number}.png": [(number % 3, BOX)] if number % 3 < 2 else [] for number in range(9)}
    return with_copy(make_dataset(marks), "4.png", "copy.png")


def test_copies_stay_together(dataset: Dataset) -> None:
    """The split says which frames it kept together, and has each frame once."""
    split = make_split(dataset, 3, seed=1)
    assert split.same_steel == [["4.png", "copy.png"]]
    assert split.frames["4.png"] == split.frames["copy.png"]
    assert sorted(split.frames) == sorted(frame.name for frame in dataset.frames)
    for class_id in range(2):
        folds = [
            split.frames[f.name] for f in dataset.frames if class_id in f.class_ids and f.name != "copy.png"
        ]
        assert sorted(folds) == [0, 1, 2]


def test_a_split_is_read_as_it_was_written(dataset: Dataset, tmp_path: Path) -> None:
    """The seed decides, and the file keeps it."""
    path = tmp_path / "runs" / "split.json"
    split = make_split(dataset, 3, seed=7)
    write_split(path, split)
    assert read_split(path) == split.frames == assign_folds(dataset, 3, seed=7)
    with pytest.raises(OutputError, match="the split cannot be written"):
        write_split(path / "below a file", split)


def test_too_few_frames_are_refused(dataset: Dataset) -> None:
    """Ten frames, of which two are the same, are nine."""
    assert len(set(assign_folds(dataset, 9, seed=1).values())) == 9
    with pytest.raises(DatasetError, match="9 different frames cannot be split into 10 folds"):
        assign_folds(dataset, 10, seed=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no split file"),
        ('{"frames": {}}', "missing required field `folds`"),
        ('{"folds": 2, "frames": {"a.jpg": 2}}', r"a\.jpg is in fold 2 of 2"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """The error names the file, and what is wrong with it."""
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"split\.json: .*{reason}"):
        read_split(path)
