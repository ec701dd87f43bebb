"""The threshold that misses no more than a stated share of the frames with defects, and how sure that is."""

import math
from collections.abc import Sequence

from edge.errors import SettingsError
from edge.vision.screen.card import Calibration

CONFIDENCE = 0.95
_HALVINGS = 60  # of the interval in which the bound lies: to the last digit


def miss_rate_at_most(missed: int, frames: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound on a share of which ``missed`` of ``frames`` were seen.

    Clopper and Pearson's (1934): the share at which so few would be seen with probability 1 - confidence.
    """
    if missed >= frames:
        return 1.0
    low, high = missed / frames, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(missed, frames, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def most_missed(frames: int, miss_rate: float, confidence: float = CONFIDENCE) -> int | None:
    """Return how many of so many frames may be missed for the bound to hold; None if not even none."""
    if miss_rate_at_most(0, frames, confidence) > miss_rate:
        return None
    missed = 0
    while miss_rate_at_most(missed + 1, frames, confidence) <= miss_rate:
        missed += 1
    return missed


def require_enough(frames: int, miss_rate: float) -> int:
    """Return how many of ``frames`` frames with defects may be missed.

    Raises:
        SettingsError: too few are held out to promise such a miss rate; the message says how many it takes.
    """
    missed = most_missed(frames, miss_rate) if frames else None
    if missed is None:
        needed = math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - miss_rate))
        raise SettingsError(
            f"--miss-rate {miss_rate:g}: takes at least {needed} frames with defects that the screen does "
            f"not learn from, and there are {frames}; hold out more of them, or ask for less"
        )
    return missed


def calibrate(
    with_defects: Sequence[float], clean: Sequence[float], miss_rate: float
) -> tuple[float, Calibration]:
    """Choose the threshold by the scores of held-out frames.

    It is the score of rank m + 1 among the frames with defects, where m is how many may be missed. Since m
    follows from the number of frames alone, the bound holds for the threshold that was chosen by them
    (Wilks, 1941: tolerance limits), whatever the distribution of scores.

    Raises:
        SettingsError: there are too few frames with defects.
    """
    allowed = require_enough(len(with_defects), miss_rate)
    threshold = sorted(with_defects)[allowed]
    missed = sum(score < threshold for score in with_defects)  # fewer than allowed where scores are equal
    return threshold, Calibration(
        miss_rate=miss_rate,
        confidence=CONFIDENCE,
        frames_with_defects=len(with_defects),
        missed=missed,
        miss_rate_at_most=round(miss_rate_at_most(allowed, len(with_defects)), 6),
        clean_frames=len(clean),
        clean_passed=sum(score >= threshold for score in clean),
    )


def _at_most(count: int, trials: int, share: float) -> float:
    """Return the probability of at most so many in a binomial distribution."""
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(share)
        + (trials - k) * math.log1p(-share)
        for k in range(count + 1)
        if 0 < share < 1
    ]
    return math.fsum(math.exp(log) for log in logs) if logs else float(share == 0)
