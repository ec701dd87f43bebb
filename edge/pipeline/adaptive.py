"""Batches as large, and waits as long, as an objective for the latency allows."""

import math

import structlog

from edge.pipeline.batch_time import BatchTime
from edge.pipeline.batcher import BatchLimits
from edge.pipeline.smoothed import SmoothedTime

log = structlog.get_logger(__name__)

# So many batches are measured before it is said that the objective cannot be met: the first are slow anyway.
_MEASURED_ENOUGH = 20


class AdaptiveLimits:
    """Chooses the limits of each batch so that 99 of 100 frames meet a target, intake to result.

    The worst that may happen to a frame where the model keeps up: it comes just after a batch began, waits
    for its end, then goes through its own batch, then is published. So two batches and one publishing have to
    fit into the target, each with the margin of what was measured. The largest batch that does is chosen,
    since it has the highest throughput. A batch waits for company no longer than company can save: the time
    that a batch takes beside its frames. Longer waits only let the model stand idle, and those who come
    meanwhile be late.

    When more than two batches wait, those frames are late whatever is done, and catching up counts: batches
    are then as large as allowed.
    """

    def __init__(self, target_s: float, most: BatchLimits, *, queue_frames: int) -> None:
        """``most`` bounds the choice; ``queue_frames`` is how many can be seen waiting."""
        self._target_s = target_s
        self._most = most
        self._queue_frames = queue_frames
        self._batch = BatchTime()
        self._publishing = SmoothedTime()
        self._batches = 0
        self._is_said = False

    def limits(self, waiting: int) -> BatchLimits:
        """Return those of the next batch, while so many frames wait."""
        chosen = self._choose()
        if waiting > 2 * chosen.max_frames or waiting >= self._queue_frames > chosen.max_frames:
            return BatchLimits(self._most.max_frames, 0.0)
        return chosen

    def inferred(self, frames: int, took_s: float) -> None:
        """Learn what the model took for a batch, decoding that it had to wait for included."""
        self._batch.observe(frames, took_s)
        self._batches += 1

    def published(self, took_s: float) -> None:
        """Learn what it took until the broker had acknowledged the results of a batch."""
        self._publishing.observe(took_s)

    def _choose(self) -> BatchLimits:
        if not self._batch.is_known:
            return BatchLimits(1, 0.0)
        for_batches_s = self._target_s - self._publishing.upper_s
        frames = self._most_frames_within(for_batches_s / 2 - self._batch.margin_s)
        if frames < 1:
            self._say_if_out_of_reach()
            return BatchLimits(1, 0.0)
        return BatchLimits(frames, min(self._batch.base_s, self._most.max_wait_s))

    def _most_frames_within(self, limit_s: float) -> int:
        """Return how many frames a batch may have, 0 where not even one is through in time."""
        if self._batch.expected_s(1) > limit_s:
            return 0
        if self._batch.expected_s(self._most.max_frames) <= limit_s:
            return self._most.max_frames
        return max(math.floor((limit_s - self._batch.base_s) / self._batch.frame_s), 1)

    def _say_if_out_of_reach(self) -> None:
        """Say once that the objective cannot be met: one frame alone takes longer."""
        takes_s = self._batch.expected_s(1) + self._publishing.expected_s
        if self._is_said or self._batches < _MEASURED_ENOUGH or takes_s <= self._target_s:
            return
        self._is_said = True
        log.warning(
            "target_p99_ms cannot be met; frames go one by one, without waiting for others",
            target_p99_ms=round(self._target_s * 1000, 1),
            one_frame_ms=round(takes_s * 1000, 1),
        )
