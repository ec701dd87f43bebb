"""What a batch is expected to take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.pipeline.batch_time import BatchTime


def learned(sizes: list[int], base_s: float, frame_s: float) -> BatchTime:
    """What is known after batches of these sizes."""
    time = BatchTime()
    for frames in sizes:
        time.observe(frames, base_s + frame_s * frames)
    return time


def test_base_and_share_of_a_frame_are_told_apart() -> None:
    """Batches of several sizes show what each costs, also for sizes that never came."""
    time = learned([1, 4, 2, 8, 3] * 10, base_s=0.020, frame_s=0.005)
    assert time.expected_s(6) == pytest.approx(0.050, rel=0.01)
    assert time.expected_s(16) == pytest.approx(0.100, rel=0.02)
    assert time.margin_s < 0.001


def test_batches_of_one_size_promise_nothing_for_larger_ones() -> None:
    """Where only singles were seen, each further frame is taken to cost as much: no leap into the unknown."""
    time = learned([1] * 50, base_s=0.050, frame_s=0.001)
    assert time.expected_s(1) == pytest.approx(0.051, rel=0.01)
    assert time.expected_s(8) == pytest.approx(8 * 0.051, rel=0.01)


def test_a_model_that_became_slower_is_noticed() -> None:
    """Old batches are forgotten: after some dozens the new time counts alone."""
    time = learned([1, 4, 2, 8] * 20, base_s=0.020, frame_s=0.005)
    for frames in [1, 4, 2, 8] * 25:
        time.observe(frames, 0.040 + 0.010 * frames)
    assert time.expected_s(4) == pytest.approx(0.080, rel=0.02)


def test_noise_becomes_a_margin() -> None:
    """The margin covers nearly all of the deviations that were seen."""
    noise = np.random.default_rng(1)
    time, beyond = BatchTime(), 0
    for number in range(2000):
        frames = number % 8 + 1
        took_s = 0.020 + 0.005 * frames + noise.normal(0, 0.003)
        beyond += number > 100 and took_s > time.expected_s(frames) + time.margin_s
        time.observe(frames, took_s)
    assert beyond < 0.02 * 2000


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_no_batch_and_no_frame_takes_negative_time(batches: list[tuple[int, float]]) -> None:
    """Whatever was measured, expectations are finite, not negative, and do not fall with the size."""
    time = BatchTime()
    for frames, took_s in batches:
        time.observe(frames, took_s)
    assert 0 <= time.expected_s(1) <= time.expected_s(2) < float("inf")
    assert 0 <= time.margin_s < float("inf")
