"""How old a frame may be, where the policy for overload is to shed."""

from datetime import UTC, datetime

from edge.contracts.results import TOO_OLD
from edge.pipeline.smoothed import SmoothedTime
from edge.pipeline.work import Work

_MS_PER_S = 1000

# A frame younger than this part of the limit is always let in, however long others waited lately: else one
# long stall would keep all frames out, and with them the news that it is over.
_LARGEST_HEADROOM = 0.5


class AgeLimit:
    """Skips frames that are too old to be of use to the line.

    A frame's age counts from its capture, by the camera's clock, to now, by ours. A camera whose clock runs
    ahead has frames of negative age, which are never too old.

    At intake a frame needs headroom: the time that frames took lately to get to the model. Without it, all
    that is let in under overload would be as old as allowed, would be too old a moment later, and the model
    would stand idle beside a full queue.
    """

    def __init__(self, max_age_ms: float) -> None:
        self._max_age_s = max_age_ms / _MS_PER_S
        self._to_model = SmoothedTime()

    @property
    def headroom_s(self) -> float:
        """What a frame must be younger than the limit to be let in."""
        return min(self._to_model.upper_s, _LARGEST_HEADROOM * self._max_age_s)

    def reached_model(self, took_s: float) -> None:
        """Learn how long the frames of a batch took from intake to the model."""
        self._to_model.observe(took_s)

    def is_passed(self, captured_at: datetime, *, headroom_s: float = 0.0) -> bool:
        """Tell whether a frame of that time is too old by now, or will be after the headroom."""
        return _age_s(captured_at) + headroom_s > self._max_age_s

    def apply(self, work: Work, *, headroom_s: float = 0.0) -> None:
        """Skip a frame that is too old; one that failed stays failed."""
        if work.needs_model and self.is_passed(work.reference.captured_at, headroom_s=headroom_s):
            work.skip(TOO_OLD, self._told(work, headroom_s))

    def _told(self, work: Work, headroom_s: float) -> str:
        age_s = _age_s(work.reference.captured_at)
        waiting = f" and {headroom_s * _MS_PER_S:.0f} ms from the model" if headroom_s else ""
        return f"{age_s * _MS_PER_S:.0f} ms old{waiting}, the limit is {self._max_age_s * _MS_PER_S:g} ms"


def _age_s(captured_at: datetime) -> float:
    return (datetime.now(UTC) - captured_at).total_seconds()
