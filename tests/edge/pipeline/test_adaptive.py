"""The adaptive batcher against simulated lines and models, on a simulated clock."""

import itertools
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edge.pipeline.adaptive import AdaptiveLimits
from edge.pipeline.batcher import BatchLimits

PUBLISH_S = 0.003
QUEUE_FRAMES = 32


@dataclass
class Line:
    """Random arrivals before a model that takes ``base_s + frame_s * n``, give or take ``noise``.

    The batcher's rules: the window opens with the first frame's arrival; who waits joins at once.
    """

    rate: float
    base_s: float
    frame_s: float
    noise: float = 0.05
    seed: int = 1
    latencies_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def run(self, limits: AdaptiveLimits, frames: int) -> "Line":
        """Serve so many frames."""
        random = np.random.default_rng(self.seed)
        waiting = deque(np.cumsum(random.exponential(1 / self.rate, frames)).tolist())
        free_at = 0.0
        while waiting:
            now = max(free_at, waiting[0])
            there = sum(arrived_at <= now for arrived_at in itertools.islice(waiting, QUEUE_FRAMES))
            most, wait_s = limits.limits(there)
            closes_at = max(waiting[0] + wait_s, now)
            batch = [waiting.popleft()]
            while len(batch) < most and waiting and waiting[0] <= closes_at:
                batch.append(waiting.popleft())
            began_at = max(now, batch[-1]) if len(batch) == most else closes_at
            took_s = (self.base_s + self.frame_s * len(batch)) * random.normal(1, self.noise)
            limits.inferred(len(batch), took_s)
            limits.published(PUBLISH_S)
            free_at = began_at + took_s
            self.latencies_s += [free_at + PUBLISH_S - arrived_at for arrived_at in batch]
            self.sizes.append(len(batch))
        return self

    @property
    def p99_s(self) -> float:
        """Of what came after the first hundred frames, when the model was not known."""
        return float(np.quantile(self.latencies_s[100:], 0.99))


class Fixed(AdaptiveLimits):
    """Limits as the settings give them, whatever is measured."""

    def __init__(self, max_batch: int, max_wait_s: float) -> None:
        self._fixed = BatchLimits(max_batch, max_wait_s)

    def limits(self, waiting: int) -> BatchLimits:
        """The same for everyone."""
        del waiting
        return self._fixed

    def inferred(self, frames: int, took_s: float) -> None:
        """Learn nothing."""

    def published(self, took_s: float) -> None:
        """Learn nothing."""


def adaptive(target_ms: float, max_batch: int = 16, max_wait_ms: float = 200) -> AdaptiveLimits:
    """Limits that follow a target."""
    return AdaptiveLimits(
        target_ms / 1000, BatchLimits(max_batch, max_wait_ms / 1000), queue_frames=QUEUE_FRAMES
    )


LINES = pytest.mark.parametrize(
    ("rate", "base_s", "frame_s", "target_ms"),
    [
        (5, 0.020, 0.005, 150),
        (60, 0.020, 0.005, 150),
        (90, 0.020, 0.005, 150),
        (15, 0.002, 0.030, 250),
        (200, 0.050, 0.001, 200),
    ],
    ids=["a quiet line", "a steady line", "a busy line", "a CPU: each frame costs", "a GPU: batches cost"],
)


@LINES
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_target_is_met_where_it_can_be(
    rate: float, base_s: float, frame_s: float, target_ms: float, seed: int
) -> None:
    """Frames come at random, the model's times vary by a twentieth: 99 of 100 frames are through in time."""
    line = Line(rate, base_s, frame_s, seed=seed).run(adaptive(target_ms), 5000)
    assert line.p99_s <= target_ms / 1000


@LINES
def test_nothing_fixed_would_be_much_better(
    rate: float, base_s: float, frame_s: float, target_ms: float
) -> None:
    """No fixed size of batch, without a wait or with one, has a p99 better by more than a quarter."""
    measured = Line(rate, base_s, frame_s).run(adaptive(target_ms), 5000)
    fixed = [
        Line(rate, base_s, frame_s).run(Fixed(max_batch, max_wait_s), 5000).p99_s
        for max_batch in (1, 2, 4, 8, 16)
        for max_wait_s in (0.0, 0.020)
    ]
    assert measured.p99_s <= 1.25 * min(fixed)


def test_a_fixed_wait_would_miss_a_target() -> None:
    """What the target is for: with max_wait_ms alone a quiet line waits for frames that do not come."""
    assert Line(5, 0.020, 0.005).run(Fixed(16, 0.200), 2000).p99_s > 0.150
    assert Line(5, 0.020, 0.005).run(adaptive(150, max_wait_ms=200), 2000).p99_s <= 0.150


def test_batches_grow_as_far_as_the_target_allows() -> None:
    """Where batches cost more than frames, a busy line is not served one by one: the throughput is there."""
    line = Line(300, 0.050, 0.001).run(adaptive(200), 5000)
    assert np.mean(line.sizes[50:]) > 10


def test_beyond_the_target_catching_up_counts() -> None:
    """A load that only batches larger than the target allows can carry is carried all the same."""
    limits = adaptive(130, max_batch=16)
    line = Line(150, 0.050, 0.002).run(limits, 5000)
    capacity = 16 / (0.050 + 16 * 0.002)
    assert capacity > 150
    assert max(line.latencies_s[-1000:]) < 1.0  # it would grow without end if the line were not keeping up


def test_a_model_that_becomes_slower_is_followed() -> None:
    """After a change, as of a GPU that runs hot, the target is met again."""
    limits = adaptive(300)
    Line(30, 0.020, 0.005).run(limits, 1000)
    slower = Line(30, 0.040, 0.010, seed=2).run(limits, 3000)
    assert slower.p99_s <= 0.300


def test_a_target_out_of_reach_is_said_once() -> None:
    """Frames go one by one and without waiting, and the log says once that it will not be enough."""
    limits = adaptive(20)
    with capture_logs() as logs:
        for _ in range(100):
            limits.inferred(1, 0.050)
            limits.published(PUBLISH_S)
            assert limits.limits(1) == BatchLimits(1, 0.0)
    (line,) = logs
    assert line["event"].startswith("target_p99_ms cannot be met")
    assert (line["target_p99_ms"], line["one_frame_ms"]) == (20.0, 53.0)


def test_the_first_batch_is_a_single_frame() -> None:
    """While nothing is known of the model, nothing is risked."""
    assert adaptive(100).limits(1) == BatchLimits(1, 0.0)


@given(
    batches=st.lists(st.tuples(st.integers(1, 64), st.floats(0, 100)), max_size=60),
    publishing=st.lists(st.floats(0, 100), max_size=10),
    waiting=st.integers(1, 1000),
    target_ms=st.floats(0.001, 1e6),
    most=st.builds(BatchLimits, st.integers(1, 64), st.floats(0, 10)),
)
def test_the_settings_stay_upper_limits(
    batches: list[tuple[int, float]],
    publishing: list[float],
    waiting: int,
    target_ms: float,
    most: BatchLimits,
) -> None:
    """Whatever was measured, a batch has 1 to max_batch frames and waits 0 to max_wait_ms."""
    limits = AdaptiveLimits(target_ms / 1000, most, queue_frames=QUEUE_FRAMES)
    for frames, took_s in batches:
        limits.inferred(frames, took_s)
    for took_s in publishing:
        limits.published(took_s)
    chosen = limits.limits(waiting)
    assert 1 <= chosen.max_frames <= most.max_frames
    assert 0 <= chosen.max_wait_s <= most.max_wait_s
