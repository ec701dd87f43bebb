"""Thresholds that are tuned, and how far they can be trusted."""

from collections.abc import Callable

import numpy as np
import pytest

from edge.errors import SettingsError
from edge.training.evaluation.comparison import compare_all
from edge.training.evaluation.folds import cross_tuned, fold_figures
from edge.training.evaluation.judge import Tuning
from edge.training.evaluation.tally import Tally, above
from edge.training.evaluation.thresholds import tune
from edge.training.evaluation.truth import truths_of
from edge.training.samples import Sample
from edge.vision.detections import Detections


def compared(frames: list[Sample], found: list[Detections]) -> tuple[list, list[Tally]]:
    """Comparisons of masks and tallies of two classes."""
    comparisons = compare_all(truths_of(frames), found, classes=2, has_masks=True)
    return comparisons, [Tally.of(comparisons, class_id) for class_id in range(2)]


def test_scores_above_a_threshold_are_counted() -> None:
    """One that equals it is not above it."""
    scores = np.array([0.5, 0.9, 0.1], np.float32)
    assert above(scores, np.array([0.0, 0.5, 0.95], np.float32)).tolist() == [3, 1, 0]


@pytest.mark.parametrize("target", ["dice", "f1"])
def test_the_threshold_lies_between_right_and_wrong(
    frame: Callable, detections: Callable, square: Callable, target: str
) -> None:
    """A true detection at 0.62 and a false one at 0.42."""
    frames = [frame((square(0), 0)), frame()]
    found = [detections((square(0), 0.62, 0)), detections((square(5), 0.42, 0))]
    thresholds = tune(compared(frames, found)[1], target)
    assert 0.42 < thresholds[0] < 0.62


def test_a_weak_class_is_not_silenced(frame: Callable, detections: Callable, square: Callable) -> None:
    """Where false alarms outweigh what is found, the threshold stops at 0.85."""
    frames = [frame((square(0), 0)), frame(), frame()]
    found = [detections((square(6), 0.9, 0)), *(detections((square(0), 0.95, 0)) for _ in range(2))]
    thresholds = tune(compared(frames, found)[1], "dice")
    assert thresholds[0] <= 0.85


def test_f1_of_a_class_that_is_not_there_prefers_silence(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """Nothing to find: the threshold lies above the alarm."""
    thresholds = tune(compared([frame()], [detections((square(0), 0.5, 0))])[1], "f1")
    assert thresholds[0] > 0.5


def test_a_budget_of_false_alarms_goes_where_it_finds_most(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """One alarm is allowed: class 1 finds two defects for it, class 0 one."""
    frames = [
        frame((square(0), 0), (square(20), 1), (square(40), 1)),
        frame(),
        frame(),
    ]
    found = [
        detections((square(0), 0.3, 0), (square(20), 0.3, 1), (square(40), 0.3, 1)),
        detections((square(0), 0.5, 0)),
        detections((square(0), 0.5, 1)),
    ]
    pits, scratches = tune(compared(frames, found)[1], "false-alarms", most_false_alarms=0.5)
    assert pits >= 0.5
    assert 0.25 < scratches < 0.3


def test_false_alarms_cannot_be_limited_without_clean_frames(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """There is nothing to count them on."""
    tallies = compared([frame((square(0), 0))], [detections()])[1]
    with pytest.raises(SettingsError, match="no clean frame"):
        tune(tallies, "false-alarms")


def test_cross_tuned_thresholds_never_saw_their_frames(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """Either half's own threshold is right for it and wrong for the other: Dice 1 becomes less."""
    weak = frame((square(0), 0)), detections((square(0), 0.3, 0), (square(40), 0.1, 0))
    strong = frame((square(0), 0)), detections((square(0), 0.9, 0), (square(40), 0.6, 0))
    frames, found = zip(weak, strong, weak, strong, strict=True)
    comparisons, _ = compared(list(frames), list(found))
    crossed = cross_tuned(comparisons, Tuning())
    assert crossed is not None
    # Thresholds of the weak ones let the strong ones' second detection pass; the reverse finds nothing.
    assert crossed.dice == pytest.approx(((2 / 3 + 0) / 2 + 1) / 2)
    assert (crossed.parts, crossed.found) == (2, 0.5)


def test_one_frame_cannot_be_cross_tuned(frame: Callable, detections: Callable) -> None:
    """There is no other half."""
    assert cross_tuned(compared([frame()], [detections()])[0], Tuning()) is None


def test_the_spread_over_folds(frame: Callable, detections: Callable, square: Callable) -> None:
    """Mean and sample standard deviation; folds of which a figure is not known are left out of it."""
    frames = [frame((square(0), 0)), frame((square(0), 0)), frame()]
    found = [detections((square(0), 0.9, 0)), detections(), detections((square(0), 0.9, 1))]
    folds = fold_figures(compared(frames, found)[0], (0.5, 0.5), ["a", "b", "c"])
    assert folds is not None
    assert [fold.dice for fold in folds.folds] == [1.0, 0.5, 0.5]
    assert folds.dice.mean == pytest.approx(2 / 3)
    assert folds.dice.standard_deviation == pytest.approx(np.std([1.0, 0.5, 0.5], ddof=1))
    assert folds.found is not None
    assert folds.found.mean == 0.5
    assert folds.false_alarms_per_clean_frame is None
    assert folds.folds[2].false_alarms_per_clean_frame == 1.0
