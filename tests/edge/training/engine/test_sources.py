"""What is learned from and what is judged, by the options."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import DatasetError, SettingsError
from edge.training.data import open_dataset
from edge.training.engine.config import read_training_config
from edge.training.engine.sources import DataOptions, Share, open_sets

Yaml = Callable[..., Path]
Squares = Callable[..., Path]


@pytest.mark.parametrize("share", ["0", "-1", "nan", "inf", "much", ""])
def test_a_share_is_a_positive_number(share: str) -> None:
    """What is none is quoted."""
    with pytest.raises(SettingsError, match=f"'{share}' is no share"):
        Share.parse(f"strip={share}")


def test_a_fold_that_the_split_does_not_have_is_refused(training_yaml: Yaml, squares: Squares) -> None:
    """Nothing would be kept for validation, and nobody would notice."""
    data, config = squares(), read_training_config(training_yaml())
    folds = {frame.name: 0 for frame in open_dataset(data).frames[:4]}
    kept = open_sets(DataOptions((Share(data),), folds=folds, fold=0), config)
    assert [len(dataset.frames) for dataset in kept.judge.values()] == [4]
    with pytest.raises(DatasetError, match="--fold 1: the split puts no frame of squares"):
        open_sets(DataOptions((Share(data),), folds=folds, fold=1), config)


def test_validation_sets_of_one_name_are_all_judged(
    tmp_path: Path, training_yaml: Yaml, squares: Squares
) -> None:
    """Two lines may keep their frames in folders of the same name."""
    first, second = tmp_path / "a" / "held", tmp_path / "b" / "held"
    for frames, folder in ((3, first), (4, second)):
        folder.parent.mkdir()
        squares(f"of{frames}", frames=frames).rename(folder)
    options = DataOptions((Share(squares()),), validation=(first, second))
    judge = open_sets(options, read_training_config(training_yaml())).judge
    assert sorted(len(dataset.frames) for dataset in judge.values()) == [3, 4]
