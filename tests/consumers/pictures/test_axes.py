"""Ticks of an axis."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.pictures.axes import nice_step, ticks


@pytest.mark.parametrize(
    ("at_least", "step"), [(0.9, 1), (1, 1), (1.1, 2), (3, 5), (6, 10), (0.03, 0.05), (700, 1000)]
)
def test_steps_are_numbers_people_count_in(at_least: float, step: float) -> None:
    """Steps are 1, 2 or 5 times a power of ten."""
    assert nice_step(at_least) == pytest.approx(step)


def test_ticks_stand_at_round_millimetres() -> None:
    """An axis that begins at 12,345.6 mm has its first number where 12,350 mm is."""
    axis = ticks(12_345.6, 0.2, 256, min_distance_px=35)

    numbered = [(tick.text, tick.at) for tick in axis if tick.text]
    assert [text for text, _ in numbered] == ["12 350", "12 360", "12 370", "12 380", "12 390"]
    assert [at for _, at in numbered] == pytest.approx([22, 72, 122, 172, 222])


def test_steps_below_one_show_their_decimals() -> None:
    """Fine axes write as many decimals as their step has."""
    assert [tick.text for tick in ticks(0, 0.001, 300, 100) if tick.text] == ["0.0", "0.1", "0.2", "0.3"]


def test_the_zero_of_a_negative_axis_has_no_sign() -> None:
    """Positions before the first edge are negative; nothing reads -0."""
    assert [tick.text for tick in ticks(-20, 1, 40, 20) if tick.text] == ["-20", "0", "20"]


@given(
    start=st.floats(-1e6, 1e6),
    pitch=st.floats(1e-3, 10),
    length_px=st.integers(1, 5000),
    distance_px=st.floats(10, 200),
)
def test_ticks_lie_on_the_axis_and_apart(
    start: float, pitch: float, length_px: int, distance_px: float
) -> None:
    """No tick lies outside the axis, and numbers keep their distance."""
    axis = ticks(start, pitch, length_px, distance_px)

    assert all(-0.01 <= tick.at <= length_px + 0.01 for tick in axis)
    numbered = [tick.at for tick in axis if tick.text]
    gaps = [after - before for before, after in itertools.pairwise(numbered)]
    assert all(gap >= distance_px * 0.999 for gap in gaps)
