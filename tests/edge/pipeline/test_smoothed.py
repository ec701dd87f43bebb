"""Times as RFC 6298 smooths them."""

import pytest

from edge.pipeline.smoothed import SmoothedTime


def test_the_example_of_the_specification() -> None:
    """The first time R gives SRTT = R and RTTVAR = R/2; then they move by an eighth and by a quarter."""
    time = SmoothedTime()
    assert (time.expected_s, time.upper_s) == (0, 0)
    time.observe(1.0)
    assert (time.expected_s, time.upper_s) == (1.0, 1.0 + 4 * 0.5)
    time.observe(2.0)
    rttvar = 3 / 4 * 0.5 + 1 / 4 * abs(1.0 - 2.0)
    assert time.expected_s == pytest.approx(7 / 8 * 1.0 + 1 / 8 * 2.0)
    assert time.upper_s == pytest.approx(time.expected_s + 4 * rttvar)


def test_a_steady_time_leaves_no_margin() -> None:
    """What always takes the same is known to the end."""
    time = SmoothedTime()
    for _ in range(100):
        time.observe(0.25)
    assert time.upper_s == pytest.approx(0.25)
