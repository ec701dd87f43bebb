"""Batches, drawn ahead of training by processes of their own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import resource_tracker

from torch.utils.data import DataLoader, Sampler

from edge.training.engine.stream import TrainingStream
from edge.training.engine.transforms import Example

_BATCHES_AHEAD = 3  # of each process


class BatchNumbers(Sampler[list[int]]):
    """The numbers of the draws that make each batch of one of several workers.

    Iteration i learns from draws i*B to (i+1)*B - 1, of which each worker takes its part in order: the
    whole batch is the same, however many workers share it.
    """

    def __init__(self, batch: int, *, first: int, rank: int = 0, world_size: int = 1) -> None:
        self._batch = batch
        self._first = first
        self._own = range(rank * batch // world_size, (rank + 1) * batch // world_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield for ever, from iteration ``first`` on."""
        for iteration in count(self._first):
            yield [iteration * self._batch + place for place in self._own]


def batches(stream: TrainingStream, numbers: BatchNumbers, processes: int) -> Iterator[list[Example]]:
    """Yield batches for ever; 0 processes draw them in this one."""
    loader: DataLoader[Example] = DataLoader(
        stream,
        batch_sampler=numbers,
        num_workers=processes,
        collate_fn=_as_they_are,
        prefetch_factor=_BATCHES_AHEAD if processes else None,
        # A forked process would inherit the locks of OpenCV's threads, and wait for them for ever.
        multiprocessing_context="spawn" if processes else None,
    )
    with _signals_blocked():
        drawn = iter(loader)
    yield from drawn


def processes_for(configured: int, world_size: int) -> int:
    """NUM_WORKERS, but no more than there are cores for each of training's processes."""
    cores = os.cpu_count() or 1
    return min(configured, max(1, cores // world_size))


def _as_they_are(examples: list[Example]) -> list[Example]:
    return examples


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start processes that Ctrl-C and SIGTERM do not reach: these may go to all of a terminal or a service.

    Training ends them itself, after its last batch. What arrives meanwhile is handled afterwards.
    """
    resource_tracker.ensure_running()  # its start would unblock them
    former = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
