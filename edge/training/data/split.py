"""Folds for cross-validation, in which every class is as frequent as in the whole set.

Frames that show the same steel stay together. The frames are dealt out by iterative stratification
(K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data", 2011), here with
groups of frames in place of single ones: the rarest class goes first, each group to the fold that lacks it
most.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from edge.errors import DatasetError, OutputError
from edge.training.data.duplicates import find_duplicates, groups_of
from edge.training.data.progress import Progress, untold
from edge.training.dataset import Dataset

_ROUNDING = 1e-6  # parts of a frame, by which equal needs may differ


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A split file."""

    folds: int
    frames: dict[str, int]
    """Fold of each frame, by its name; from 0."""
    seed: int | None = None
    same_steel: list[list[str]] = []
    """Names of the frames that were kept together, since they show the same steel."""


def make_split(dataset: Dataset, folds: int, seed: int, progress: Progress = untold) -> Split:
    """Deal the frames out to folds; the same set, folds and seed give the same split.

    Raises:
        CorruptImageError: a picture cannot be read, and so cannot be compared with the others.
        DatasetError: there are fewer groups of frames than folds.
    """
    groups = groups_of(len(dataset.frames), find_duplicates(dataset.frames, progress))
    if len(groups) < folds:
        raise DatasetError(
            f"{dataset.name}: {len(groups)} different frames cannot be split into {folds} folds"
        )
    names = [frame.name for frame in dataset.frames]
    fold_of_group = deal_out(_label_counts(dataset, groups), folds, seed)
    frames = {
        names[index]: fold for group, fold in zip(groups, fold_of_group, strict=True) for index in group
    }
    return Split(
        folds=folds,
        frames=dict(sorted(frames.items())),
        seed=seed,
        same_steel=[[names[index] for index in group] for group in groups if len(group) > 1],
    )


def assign_folds(dataset: Dataset, folds: int, seed: int) -> dict[str, int]:
    """Fold of each frame, by its name; see `make_split`."""
    return make_split(dataset, folds, seed).frames


def _label_counts(dataset: Dataset, groups: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """(groups, 1 + classes): how many frames of a group are clean, and how many show each class."""
    counts = np.zeros((len(groups), 1 + len(dataset.class_names)), np.int64)
    for row, group in enumerate(groups):
        for index in group:
            for class_id in dataset.frames[index].class_ids or {-1}:
                counts[row, 1 + class_id] += 1
    return counts


def deal_out(counts: npt.NDArray[np.int64], folds: int, seed: int) -> list[int]:
    """Give each group a fold; ``counts`` (groups, labels) are its frames with each label.

    Each frame has at least one label.
    """
    rng = np.random.default_rng(seed)
    fold_of_group = np.full(len(counts), -1)
    lacking = np.tile(counts.sum(axis=0) / folds, (folds, 1))
    while (open_groups := fold_of_group < 0).any():
        left = counts[open_groups].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        members = np.flatnonzero(open_groups & (counts[:, rarest] > 0))
        rng.shuffle(members)
        # Large groups first, so that small ones even out what these leave uneven.
        for group in members[np.argsort(-counts[members].sum(axis=1), kind="stable")]:
            fold = _neediest(lacking, rarest, counts[group], rng)
            fold_of_group[group] = fold
            lacking[fold] -= counts[group]
    return fold_of_group.tolist()


def _neediest(
    lacking: npt.NDArray[np.float64], label: int, of_group: npt.NDArray[np.int64], rng: np.random.Generator
) -> int:
    """The fold that lacks the label most; among equals, the group's labels, then any frames, then by lot."""
    needs = np.column_stack([lacking[:, label], lacking @ (of_group > 0), lacking.sum(axis=1)])
    candidates = np.arange(len(lacking))
    for need in needs.T:
        candidates = candidates[need[candidates] > need[candidates].max() - _ROUNDING]
    return int(rng.choice(candidates))


def write_split(path: Path, split: Split) -> None:
    """Write a split file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(split), indent=2) + b"\n")
    except OSError as error:
        raise OutputError(f"{path}: the split cannot be written: {error}") from error


def read_split(path: Path) -> dict[str, int]:
    """Fold of each frame, by its name.

    Raises:
        DatasetError: the file is missing, or no split.
    """
    try:
        split = msgspec.json.decode(path.read_bytes(), type=Split)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DatasetError(f"{path}: is no split file: {error}") from error
    strange = [name for name, fold in split.frames.items() if not 0 <= fold < split.folds]
    if strange:
        raise DatasetError(f"{path}: {strange[0]} is in fold {split.frames[strange[0]]} of {split.folds}")
    return split.frames
