"""The order of draws: rounds, repeats and balanced classes."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.training.engine.sampling import BalancedClasses, ShuffledRounds, repeat_factors

RNG = np.random.default_rng(0)


@given(size=st.integers(1, 12), seed=st.integers(0, 5), number=st.integers(0, 3))
def test_each_round_shows_every_frame_once(size: int, seed: int, number: int) -> None:
    """Whichever round is asked for, and in whichever order draws are."""
    order = ShuffledRounds(np.ones(size), seed)
    draws = range(number * size, (number + 1) * size)
    assert sorted(order.frame_at(draw, RNG) for draw in reversed(draws)) == list(range(size))


def test_rounds_differ_and_repeat_with_the_seed() -> None:
    """Another round is another permutation; a copy in another process has the same ones."""
    order = ShuffledRounds(np.ones(20), 4)
    draws = [order.frame_at(draw, RNG) for draw in range(40)]
    assert draws[:20] != draws[20:]
    copy = pickle.loads(pickle.dumps(order))  # noqa: S301 - what multiprocessing does
    assert [copy.frame_at(draw, RNG) for draw in range(40)] == draws


def test_repeats_are_met_on_average() -> None:
    """A frame with a factor of 2.5 comes two or three times a round."""
    order = ShuffledRounds(np.array([1.0, 2.5]), 0)
    draws = np.array([order.frame_at(draw, RNG) for draw in range(7000)])
    assert (draws == 1).mean() == pytest.approx(2.5 / 3.5, abs=0.01)


def test_rare_classes_have_larger_factors() -> None:
    """The square root of threshold / frequency, of the rarest class on the frame, and at least 1."""
    classes = [frozenset({0})] * 8 + [frozenset({0, 1})] + [frozenset[int]()]
    factors = repeat_factors(classes, 0.4)
    assert factors[0] == factors[9] == 1.0
    assert factors[8] == pytest.approx(2.0)
    assert repeat_factors(classes, 0.4, sqrt=False)[8] == pytest.approx(4.0)


def test_balanced_draws_lift_what_is_rare() -> None:
    """Class 1, on one frame in ten, is drawn by the square root of its number; a fifth is clean."""
    classes = [frozenset({0})] * 81 + [frozenset({1})] * 9 + [frozenset[int]()] * 10
    order = BalancedClasses(classes)
    rng = np.random.default_rng(1)
    drawn = [classes[order.frame_at(draw, rng)] for draw in range(4000)]
    assert sum(not c for c in drawn) / 4000 == pytest.approx(0.2, abs=0.02)
    assert sum(c == {1} for c in drawn) / 4000 == pytest.approx(0.8 * 3 / 12, abs=0.02)


def test_sets_without_clean_frames_or_without_defects_are_drawn_from() -> None:
    """There is always a frame."""
    rng = np.random.default_rng(1)
    for classes in ([frozenset({0})], [frozenset[int]()]):
        assert {BalancedClasses(classes).frame_at(draw, rng) for draw in range(20)} == {0}
