"""The stream of examples and its batches: functions of the seed and the iteration."""

import multiprocessing
import re
import signal
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.training.engine.choices import Augmentation
from edge.training.engine.config import parse_training_config
from edge.training.engine.loader import BatchNumbers, batches
from edge.training.engine.sources import DataOptions, Share, build_stream, open_sets
from edge.training.engine.stream import TrainingStream

Raw = Callable[..., dict[str, Any]]


def stream_of(raw: dict[str, Any], **options: Any) -> TrainingStream:
    """A stream by a config's plain values and the options of the data."""
    config, chosen = parse_training_config(raw), DataOptions(**options)
    return build_stream(open_sets(chosen, config), chosen, config)


@given(workers=st.sampled_from([1, 2, 3, 6]), first=st.integers(0, 50))
def test_workers_share_the_same_batches(workers: int, first: int) -> None:
    """Put together in the order of the ranks, their parts are the batch of a single worker."""
    parts = [
        list(islice(BatchNumbers(6, first=first, rank=rank, world_size=workers), 3))
        for rank in range(workers)
    ]
    joined = [list(chain.from_iterable(batch)) for batch in zip(*parts, strict=True)]
    assert joined == list(islice(BatchNumbers(6, first=first), 3))
    assert joined[0][0] == 6 * first


def test_an_example_depends_on_seed_and_number_alone(raw_training: Raw, squares: Callable[..., Path]) -> None:
    """Another process, which has drawn none before it, draws the same one; another seed does not."""
    data = squares()
    options: dict[str, Any] = {
        "data": (Share(data),),
        "paste": Share(data, 0.5),
        "balance": True,
        "augmentation": Augmentation.STRONG,
    }
    stream, again, other = (stream_of(raw_training(SEED=seed), **options) for seed in (5, 5, 6))
    drawn = [stream[number] for number in range(12)]
    assert torch.equal(drawn[11].image, again[11].image)
    assert torch.equal(drawn[11].masks, again[11].masks)
    assert any(not torch.equal(one.image, other[number].image) for number, one in enumerate(drawn))
    assert any(one.name.endswith("+") for one in drawn)


def test_another_process_draws_the_same_and_no_signal_reaches_it(
    raw_training: Raw, squares: Callable[..., Path]
) -> None:
    """Ctrl-C and SIGTERM to a whole group stop training, which needs its last batches to end in order."""
    stream = stream_of(raw_training(), data=(Share(squares()),))
    drawn = batches(stream, BatchNumbers(2, first=2), 1)
    assert [torch.equal(e.image, stream[4 + i].image) for i, e in enumerate(next(drawn))] == [True, True]
    (process,) = multiprocessing.active_children()
    status = Path(f"/proc/{process.pid}/status").read_text()
    blocked = int(re.findall(r"SigBlk:\s*(\w+)", status)[0], 16)
    for number in (signal.SIGINT, signal.SIGTERM):
        assert blocked & 1 << (number - 1)
        assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_sets_are_mixed_by_their_shares(raw_training: Raw, squares: Callable[..., Path]) -> None:
    """Three quarters of the draws come from the set with three quarters, whatever the sets' sizes."""
    many, few = squares("many", 10), squares("few", 5)
    stream = stream_of(raw_training(), data=(Share(many, 1.0), Share(few, 3.0)))
    names = [stream[number].name for number in range(300)]
    assert sum(name.startswith("few") for name in names) / 300 == pytest.approx(0.75, abs=0.08)


def test_sets_without_shares_are_one_long_set(raw_training: Raw, squares: Callable[..., Path]) -> None:
    """As Detectron2 has it: every frame once a round."""
    stream = stream_of(raw_training(), data=(Share(squares("many", 10)), Share(squares("few", 5))))
    assert len({stream[number].name for number in range(15)}) == 15


def test_clean_frames_are_left_out_if_the_config_says_so(
    raw_training: Raw, squares: Callable[..., Path]
) -> None:
    """With a note, for it is Detectron2's default."""
    chosen = DataOptions(data=(Share(squares()),))
    config = parse_training_config(raw_training(**{"DATALOADER.FILTER_EMPTY_ANNOTATIONS": True}))
    data = open_sets(chosen, config)
    assert len(data.learn[0].frames) == 8
    assert "2 clean frames are left out" in data.notes[0]


def test_a_fold_is_kept_for_validation(raw_training: Raw, squares: Callable[..., Path]) -> None:
    """Its frames are judged, not learned from; frames that the split does not list are learned from."""
    folds = {f"squares{number}.png": number % 3 for number in range(9)}
    chosen = DataOptions(data=(Share(squares()),), folds=folds, fold=1)
    data = open_sets(chosen, parse_training_config(raw_training()))
    (judged,) = data.judge.values()
    assert {frame.name for frame in judged.frames} == {"squares1.png", "squares4.png", "squares7.png"}
    assert {frame.name for frame in data.learn[0].frames}.isdisjoint(frame.name for frame in judged.frames)
    assert len(data.learn[0].frames) == 7


@pytest.mark.parametrize(
    ("text", "path", "share"), [("a/b=0.5", "a/b", 0.5), ("a/b", "a/b", None), ("0.2", None, 0.2)]
)
def test_shares_are_read(text: str, path: str | None, share: float | None) -> None:
    """A folder, a share, or both."""
    assert Share.parse(text) == Share(None if path is None else Path(path), share)


@pytest.mark.parametrize("text", ["a=b", "a=0", "a=-1"])
def test_broken_shares_are_refused(text: str) -> None:
    """By what was typed."""
    with pytest.raises(SettingsError, match=text):
        Share.parse(text)


def test_shares_for_some_sets_only_are_refused(raw_training: Raw, squares: Callable[..., Path]) -> None:
    """There is no telling what the others should have."""
    with pytest.raises(SettingsError, match="either each set has a share"):
        stream_of(raw_training(), data=(Share(squares("a"), 0.5), Share(squares("b"))))
