"""Kaggle's run lengths: ``start length start length ...``, 1-based, down the columns of the picture."""

import numpy as np
import numpy.typing as npt

from edge.errors import RunsError

Runs = npt.NDArray[np.int64]
"""(N, 2): first pixel, counted from 0 down the columns, and number of pixels."""


def parse_runs(text: str, pixels: int) -> Runs:
    """Read the runs of a picture of ``pixels`` pixels; an empty text has none.

    Raises:
        RunsError: they are no pairs of whole numbers, leave the picture, are empty, or overlap.
    """
    try:
        numbers = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise RunsError(f"runs are no whole numbers: {text[:40]!r}") from error
    if numbers.size % 2:
        raise RunsError(f"runs come in pairs of start and length; these are {numbers.size} numbers")
    runs = numbers.reshape(-1, 2) - (1, 0)
    _refuse_untrue(runs, pixels)
    return runs


def _refuse_untrue(runs: Runs, pixels: int) -> None:
    starts, lengths = runs[:, 0], runs[:, 1]
    # Compared without a sum: lengths near 2**63 would wrap around.
    outside = (starts < 0) | (starts >= pixels) | (lengths > pixels - starts)
    if outside.any():
        raise RunsError(f"run {_named(runs, outside)} leaves the picture of {pixels} pixels")
    if (lengths < 1).any():
        raise RunsError(f"run {_named(runs, lengths < 1)} has no pixel")
    in_order = runs[np.argsort(starts, kind="stable")]
    overlapping = in_order[1:, 0] < in_order[:-1].sum(axis=1)
    if overlapping.any():
        raise RunsError(f"run {_named(in_order[1:], overlapping)} overlaps the one before it")


def _named(runs: Runs, culprits: npt.NDArray[np.bool_]) -> str:
    start, length = runs[culprits.argmax()]
    return f"'{start + 1} {length}'"


def is_sorted(runs: Runs) -> bool:
    """Whether the runs stand in the order of their pixels, as Kaggle's do."""
    return bool((np.diff(runs[:, 0]) > 0).all())


def decode(text: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode to a (height, width) bool mask.

    Raises:
        RunsError: see `parse_runs`.
    """
    flat = fill(parse_runs(text, height * width), height * width)
    return flat.reshape(width, height).T


def fill(runs: Runs, pixels: int) -> npt.NDArray[np.bool_]:
    """(pixels,) bool: true within the runs, which lie within and do not overlap."""
    flat = np.zeros(pixels, np.bool_)
    lengths = runs[:, 1]
    # The pixels of all runs in one list: each goes on counting from its run's first pixel.
    counted_before = lengths.cumsum() - lengths
    flat[np.arange(lengths.sum()) + np.repeat(runs[:, 0] - counted_before, lengths)] = True
    return flat


def encode(mask: npt.NDArray[np.bool_]) -> str:
    """Encode a (H, W) bool mask; an empty one is an empty text."""
    flat = np.concatenate(([False], mask.ravel(order="F"), [False]))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    changes[1::2] -= changes[::2]
    changes[::2] += 1
    return " ".join(map(str, changes.tolist()))
