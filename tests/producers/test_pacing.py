"""The schedule of frames."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SettingsError
from producers.pacing import Gate, Interval, Pacer, by_line_speed, by_rate


class ManualClock:
    """A clock that moves when somebody sleeps, or when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pacer(self, interval: Interval | None, gate: Gate | None = None) -> Pacer:
        return Pacer(interval, gate=gate, clock=self, sleep=self.sleep)


async def test_frames_follow_each_other_at_the_rate() -> None:
    """The first frame goes at once, each further one an interval later."""
    clock = ManualClock()
    pacer = clock.pacer(by_rate(50))

    times = []
    for _ in range(4):
        assert await pacer.wait(51.2) == pytest.approx(0, abs=1e-9)
        times.append(clock.now - 1000)

    assert times == pytest.approx([0, 0.02, 0.04, 0.06])


async def test_a_faster_line_brings_frames_sooner() -> None:
    """At 2 m/s, 100 mm of strip pass in 50 ms and 300 mm in 150 ms."""
    clock = ManualClock()
    pacer = clock.pacer(by_line_speed(2.0))

    times = []
    for strip_mm in (100, 300, 100):
        await pacer.wait(strip_mm)
        times.append(clock.now - 1000)

    assert times == pytest.approx([0, 0.05, 0.2])


async def test_lateness_is_told_and_made_up_for() -> None:
    """A frame that took long is followed by the next as soon as possible, until the schedule holds again."""
    clock = ManualClock()
    pacer = clock.pacer(by_rate(10))
    await pacer.wait(1)
    clock.now += 0.25

    lateness = [await pacer.wait(1) for _ in range(3)]

    assert lateness == pytest.approx([0.15, 0.05, 0])
    assert clock.now == pytest.approx(1000.3)


@given(st.lists(st.floats(0, 0.3), max_size=50))
async def test_the_schedule_never_drifts(work_s: list[float]) -> None:
    """Whatever each frame takes, no frame goes before its time on the first frame's schedule."""
    clock = ManualClock()
    pacer = clock.pacer(by_rate(5))

    for index, seconds in enumerate([*work_s, 0.0]):
        lateness_s = await pacer.wait(1)
        assert clock.now - lateness_s == pytest.approx(1000 + index / 5)
        clock.now += seconds


def holding(clock: ManualClock, seconds: list[float]) -> Callable[[], object]:
    """Return a gate that holds each frame for the next of these times."""
    remaining = iter(seconds)

    async def gate() -> None:
        clock.now += next(remaining)

    return gate


async def test_a_held_line_does_not_rush_afterwards() -> None:
    """Time behind the gate moves the schedule on: no lateness, and the distance of frames stays."""
    clock = ManualClock()
    pacer = clock.pacer(by_rate(10), gate=holding(clock, [0, 5.0, 0]))  # type: ignore[arg-type]

    lateness, times = [], []
    for _ in range(3):
        lateness.append(await pacer.wait(1))
        times.append(clock.now - 1000)

    assert lateness == pytest.approx([0, 0, 0], abs=1e-9)
    assert times == pytest.approx([0, 5.0, 5.1])


async def test_a_gate_that_opens_in_time_changes_nothing() -> None:
    """Only what a gate takes beyond the frame's own time moves the schedule."""
    clock = ManualClock()
    pacer = clock.pacer(by_rate(10), gate=holding(clock, [0, 0.04, 0.04]))  # type: ignore[arg-type]

    for _ in range(3):
        await pacer.wait(1)

    assert clock.now == pytest.approx(1000.2)


async def test_without_a_pace_frames_go_at_once() -> None:
    """As fast as possible means no time between frames and no lateness."""
    clock = ManualClock()
    pacer = clock.pacer(None)

    assert [await pacer.wait(1) for _ in range(3)] == [0, 0, 0]
    assert clock.now == 1000


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize(("make", "named"), [(by_rate, "rate"), (by_line_speed, "speed")])
def test_a_pace_is_a_number_greater_than_zero(
    make: Callable[[float], Interval], named: str, value: float
) -> None:
    """A standing line has no pace; it is refused by its name."""
    with pytest.raises(SettingsError, match=named):
        make(value)
