"""Which frames are shown."""

from collections.abc import Callable

import pytest

from edge.errors import DatasetError
from edge.training.data.preview import choose_frames, class_id_of
from edge.training.dataset import Dataset

BOX = (10, 10, 30, 30)


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    """Eight scratches, one scale, one with both, two clean."""
    marks = {f"{number}.png": [(0, BOX)] for number in range(8)}
    return make_dataset(
        {**marks, "scale.png": [(1, BOX)], "both.png": [(0, BOX), (1, BOX)], "x.png": [], "y.png": []}
    )


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_and_clean_frames_are_among_few(dataset: Dataset, seed: int) -> None:
    """Every class has its turn, however rare it is; clean frames are last."""
    chosen = choose_frames(dataset, 4, None, seed)
    assert len(chosen) == 4
    assert {0, 1} <= set().union(*(frame.class_ids for frame in chosen))
    assert not chosen[-1].class_ids
    assert chosen == choose_frames(dataset, 4, None, seed)


def test_one_class_alone(dataset: Dataset) -> None:
    """Frames that show it beside others are among them; there are no more than there are."""
    assert {frame.name for frame in choose_frames(dataset, 9, 1, 1)} == {"scale.png", "both.png"}
    assert len(choose_frames(dataset, 99, None, 1)) == 12


def test_a_class_is_known_by_its_name(dataset: Dataset) -> None:
    """Another name is refused."""
    assert class_id_of(dataset, "scale") == 1
    with pytest.raises(DatasetError, match="has no class 'rust'; it has scratch, scale, dent"):
        class_id_of(dataset, "rust")
