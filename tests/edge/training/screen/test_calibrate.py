"""The threshold of a screen, and what it promises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.training.screen.calibrate import calibrate, miss_rate_at_most, most_missed, require_enough

law = settings(deadline=None)


@pytest.mark.parametrize(
    ("missed", "frames", "bound"),
    # Of none missed the bound has a closed form, 1 - 0.05^(1/n); the others are Clopper and Pearson's, from
    # the beta distribution's quantiles.
    [(0, 10, 1 - 0.05**0.1), (0, 299, 1 - 0.05 ** (1 / 299)), (1, 10, 0.394163), (5, 100, 0.102253)],
)
def test_the_bound_is_clopper_and_pearsons(missed: int, frames: int, bound: float) -> None:
    """One-sided, with 95 % confidence."""
    assert miss_rate_at_most(missed, frames) == pytest.approx(bound, abs=1e-6)


@law
@given(frames=st.integers(1, 400), missed=st.integers(0, 400))
def test_the_bound_grows_with_what_was_missed_and_shrinks_with_what_was_seen(
    frames: int, missed: int
) -> None:
    """It lies above the share that was seen, and at 1 where everything was missed."""
    missed = min(missed, frames)
    bound = miss_rate_at_most(missed, frames)
    assert missed / frames <= bound <= 1
    assert missed == frames or bound < miss_rate_at_most(missed + 1, frames)
    assert miss_rate_at_most(missed, frames + 1) <= bound


@law
@given(frames=st.integers(1, 600), miss_rate=st.floats(0.01, 0.4))
def test_one_more_miss_would_break_the_promise(frames: int, miss_rate: float) -> None:
    """As many frames may be missed as the bound allows, and no more."""
    missed = most_missed(frames, miss_rate)
    if missed is None:
        assert miss_rate_at_most(0, frames) > miss_rate
    else:
        assert miss_rate_at_most(missed, frames) <= miss_rate < miss_rate_at_most(missed + 1, frames)


def test_too_few_frames_are_told_with_how_many_it_takes() -> None:
    """A miss rate of 1 % takes 299 frames with defects, if none of them is missed."""
    with pytest.raises(SettingsError, match=r"--miss-rate 0.01: takes at least 299 .* there are 298"):
        require_enough(298, 0.01)
    assert require_enough(299, 0.01) == 0
    with pytest.raises(SettingsError, match="there are 0"):
        require_enough(0, 0.3)


@law
@given(
    scores=st.lists(st.floats(0, 1), min_size=30, max_size=120),
    clean=st.lists(st.floats(0, 1), max_size=30),
)
def test_the_threshold_lets_through_all_but_what_may_be_missed(
    scores: list[float], clean: list[float]
) -> None:
    """Scores may be equal: then fewer are missed, never more."""
    threshold, told = calibrate(scores, clean, 0.2)
    allowed = most_missed(len(scores), 0.2)
    assert allowed is not None
    assert told.missed == sum(score < threshold for score in scores) <= allowed
    assert sum(score <= threshold for score in scores) > allowed
    assert told.clean_passed == sum(score >= threshold for score in clean)
    assert told.miss_rate_at_most <= 0.2


def test_the_promise_is_kept_in_19_of_20_calibrations() -> None:
    """On frames that nobody has seen, though the threshold was chosen by those that it was measured on."""
    random, broken, rounds = np.random.default_rng(0), 0, 600
    for _ in range(rounds):
        threshold, _ = calibrate(random.normal(size=200).tolist(), [], 0.05)
        missed_of_all = 0.5 * (1 + math.erf(threshold / math.sqrt(2)))
        broken += missed_of_all > 0.05
    assert broken / rounds < 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)
