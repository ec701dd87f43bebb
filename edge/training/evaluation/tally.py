"""One class over all frames: what a score threshold makes of defects and detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.training.evaluation.comparison import FOUND_IOU, STRICT_IOU, Comparison
from edge.training.evaluation.dice import DiceProfile

Scores = npt.NDArray[np.float32]
Thresholds = npt.NDArray[np.float32]

# The score by which a defect is found that nothing meets.
NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class Tally:
    """Scores pooled over frames, so that figures at any threshold are a matter of counting.

    ``found_scores`` and ``strict_scores``: for each defect the best score of a detection that meets it with
    IoU 0.3 and 0.5; a threshold below that finds it. ``hit_scores``: detections that meet a defect of the
    class with IoU 0.3; ``alarm_scores``: those that do not; ``clean_alarm_scores``: those on frames without
    defects.
    """

    profiles: tuple[DiceProfile, ...]
    shown: npt.NDArray[np.bool_]
    found_scores: Scores
    strict_scores: Scores
    hit_scores: Scores
    alarm_scores: Scores
    clean_alarm_scores: Scores
    clean_frames: int

    @classmethod
    def of(cls, comparisons: Sequence[Comparison], class_id: int) -> Self:
        """Pool one class."""
        frames = [_FrameScores.of(comparison, class_id) for comparison in comparisons]
        return cls(
            profiles=tuple(comparison.dice[class_id] for comparison in comparisons),
            shown=np.array([bool((c.defect_classes == class_id).any()) for c in comparisons]),
            found_scores=_joined([frame.found for frame in frames]),
            strict_scores=_joined([frame.strict for frame in frames]),
            hit_scores=_joined([frame.hits for frame in frames]),
            alarm_scores=_joined([frame.alarms for frame in frames]),
            clean_alarm_scores=_joined(
                [frame.alarms for frame, c in zip(frames, comparisons, strict=True) if c.clean]
            ),
            clean_frames=sum(comparison.clean for comparison in comparisons),
        )

    @property
    def defects(self) -> int:
        """Defects of the class."""
        return len(self.found_scores)

    def dice(self, thresholds: Thresholds) -> npt.NDArray[np.float64]:
        """(frames, T) Dice of each frame at each of (T,) thresholds."""
        return np.stack([profile.at(thresholds) for profile in self.profiles])


@dataclass(frozen=True, slots=True)
class _FrameScores:
    found: Scores
    strict: Scores
    hits: Scores
    alarms: Scores

    @classmethod
    def of(cls, comparison: Comparison, class_id: int) -> Self:
        detections = comparison.found.classes == class_id
        iou = comparison.iou[comparison.defect_classes == class_id][:, detections]
        scores = comparison.found.scores[detections]
        meets = (iou >= FOUND_IOU).any(axis=0)
        return cls(
            found=_best_scores(iou >= FOUND_IOU, scores),
            strict=_best_scores(iou >= STRICT_IOU, scores),
            hits=scores[meets],
            alarms=scores[~meets],
        )


def above(scores: Scores, thresholds: Thresholds) -> npt.NDArray[np.int64]:
    """(T,) how many scores are larger than each threshold."""
    return np.asarray(len(scores) - np.searchsorted(np.sort(scores), thresholds, side="right"), np.int64)


def _best_scores(meets: npt.NDArray[np.bool_], scores: Scores) -> Scores:
    """(D,) from (D, N) whether a detection meets a defect."""
    return np.asarray(np.where(meets, scores[None, :], NEVER).max(axis=1, initial=NEVER))


def _joined(parts: Sequence[Scores]) -> Scores:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
