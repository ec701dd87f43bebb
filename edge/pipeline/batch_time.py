"""What a batch takes, learned from the batches that were."""

from edge.pipeline.smoothed import Deviation

# A batch of twenty ago counts for about a third of the last one: new within seconds where frames matter,
# yet enough to tell the cost of a frame from that of a batch.
_FORGETTING = 0.95

# Where all batches were of one size, it cannot be told how much of their time each frame adds. This small
# weight then leads to the line through the origin: frames beyond those that were seen cost their full share,
# so that larger batches are tried step by step and never by a leap.
_RIDGE = 0.001


class BatchTime:
    """A batch of n frames takes ``a + b n`` seconds: least squares in which old batches are forgotten.

    Without any measurement nothing is expected: ``is_known`` tells.
    """

    def __init__(self) -> None:
        self.base_s = 0.0
        self.frame_s = 0.0
        self._deviation = Deviation()
        self._weight = self._n = self._nn = self._t = self._nt = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything was measured yet."""
        return self._weight > 0

    @property
    def margin_s(self) -> float:
        """What to add to the expected time, so that few batches take longer."""
        return self._deviation.margin_s

    def expected_s(self, frames: int) -> float:
        """Return what a batch of so many frames takes on average."""
        return self.base_s + self.frame_s * frames

    def observe(self, frames: int, took_s: float) -> None:
        """Learn from a batch."""
        self._deviation.observe(self.expected_s(frames), took_s)
        self._weight = _FORGETTING * self._weight + 1
        self._n = _FORGETTING * self._n + frames
        self._nn = _FORGETTING * self._nn + frames * frames
        self._t = _FORGETTING * self._t + took_s
        self._nt = _FORGETTING * self._nt + took_s * frames
        self._solve()

    def _solve(self) -> None:
        """Solve the normal equations; neither a batch nor a frame takes negative time."""
        weight = (1 + _RIDGE) * self._weight
        base_s = (self._t * self._nn - self._nt * self._n) / (weight * self._nn - self._n * self._n)
        frame_s = (self._nt - base_s * self._n) / self._nn
        if base_s < 0:
            base_s, frame_s = 0.0, self._nt / self._nn
        elif frame_s < 0:
            base_s, frame_s = self._t / self._weight, 0.0
        self.base_s, self.frame_s = base_s, frame_s
