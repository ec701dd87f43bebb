"""Times as TCP smooths them for its retransmission timer (RFC 6298, section 2)."""

# The smoothed time moves by an eighth of each new difference, the mean deviation by a quarter of each new
# one, and four deviations are the margin. Of normally distributed times 4 are 3.2 standard deviations.
_GAIN = 1 / 8
_DEVIATION_GAIN = 1 / 4
_MARGIN = 4.0


class Deviation:
    """How far times lie from what was expected of them: RTTVAR."""

    def __init__(self) -> None:
        self._mean_s: float | None = None

    @property
    def margin_s(self) -> float:
        """What to add to an expected time, so that few take longer."""
        return _MARGIN * (self._mean_s or 0.0)

    def observe(self, expected_s: float, took_s: float) -> None:
        """Learn from one time; the first, of which nothing could be expected, may be off by half."""
        if self._mean_s is None:
            self._mean_s = took_s / 2
        else:
            self._mean_s += _DEVIATION_GAIN * (abs(took_s - expected_s) - self._mean_s)


class SmoothedTime:
    """What something takes lately: SRTT. Zero while nothing was observed."""

    def __init__(self) -> None:
        self._mean_s: float | None = None
        self._deviation = Deviation()

    @property
    def expected_s(self) -> float:
        """What it takes on average."""
        return self._mean_s or 0.0

    @property
    def upper_s(self) -> float:
        """What it seldom takes longer than."""
        return self.expected_s + self._deviation.margin_s

    def observe(self, took_s: float) -> None:
        """Learn from one time."""
        self._deviation.observe(self.expected_s, took_s)
        before_s = took_s if self._mean_s is None else self._mean_s
        self._mean_s = before_s + _GAIN * (took_s - before_s)
