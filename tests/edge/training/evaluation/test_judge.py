"""All figures, on cases that can be counted by hand, and laws that hold for any."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.judge import (
    ASSUMED_PITCH_Y_MM,
    Origin,
    Tuning,
    evaluate_detections,
)
from edge.training.evaluation.record import Evaluation
from edge.training.samples import Sample
from edge.vision.detections import Detections
from producers.strip import DEFAULT_PITCH_MM

law = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("pit", "scratch")


def test_a_case_counted_by_hand(frame: Callable, detections: Callable, square: Callable) -> None:
    """One of two pits is found, with half its width beside it; one clean frame of two has an alarm."""
    frames = [frame((square(0), 0), (square(40), 0)), frame(), frame()]
    found = [
        detections((square(5), 0.9, 0), (square(40), 0.3, 0)),
        detections((square(5), 0.8, 0), (square(20), 0.2, 0)),
        detections((square(5), 0.4, 1)),
    ]

    evaluation = evaluate_detections(frames, found, NAMES, thresholds=(0.5, 0.5), pitch_y_mm=0.5)

    pit, scratch = evaluation.classes
    assert (evaluation.frames, evaluation.clean_frames, evaluation.overlap) == (3, 2, "mask")
    assert pit.dice_where_present == pytest.approx(2 * 50 / (200 + 100))
    assert pit.dice == pytest.approx((1 / 3 + 0 + 1) / 3)
    assert (scratch.dice, scratch.dice_of_nothing, scratch.dice_where_present) == (1.0, 1.0, None)
    assert evaluation.total.dice == pytest.approx((pit.dice + 1.0) / 2)
    assert evaluation.total.dice_of_nothing == pytest.approx(5 / 6)
    mill = evaluation.total.mill
    # IoU of the square and the one shifted by half: 50 / 150.
    assert (mill.defects, mill.found, mill.found_at_iou50, mill.missed) == (2, 1, 0, 1)
    assert (mill.detections, mill.false_alarms, mill.false_alarms_on_clean_frames) == (2, 1, 1)
    assert mill.false_alarms_per_clean_frame == 0.5
    # Three frames of 64 rows at 0.5 mm: 96 mm of strip.
    assert evaluation.length_m == pytest.approx(0.096)
    assert mill.missed_per_100m == pytest.approx(100 / 0.096)
    assert [f.dice for f in evaluation.by_frame] == pytest.approx([2 / 3, 0.5, 1.0])
    assert [(f.defects, f.found, f.false_alarms) for f in evaluation.by_frame] == [
        (2, 1, 0),
        (0, 0, 1),
        (0, 0, 0),
    ]
    # Of pits: two wrong ones, then one of the two defects: precision a third up to recall 0.5.
    assert pit.mask is not None
    assert pit.mask.ap50 == pytest.approx(51 / 101 / 3)
    assert pit.precision_recall.recall[-1] == 0.5
    assert scratch.mask is not None
    assert scratch.mask.ap50 is None


def test_average_precision_is_the_mean_of_classes_with_defects(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """A class that no frame shows does not count as 0."""
    evaluation = evaluate_detections([frame((square(0), 0))], [detections((square(0), 0.9, 0))], NAMES)
    assert evaluation.total.box.ap == pytest.approx(1.0)
    assert evaluation.total.mask is not None
    assert evaluation.total.mask.ap50 == pytest.approx(1.0)


def test_a_detection_of_another_class_is_no_hit(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """A scratch where a pit lies misses the pit and is a false alarm."""
    evaluation = evaluate_detections(
        [frame((square(0), 0))], [detections((square(0), 0.9, 1))], NAMES, thresholds=(0.5, 0.5)
    )
    pit, scratch = evaluation.classes
    assert (pit.mill.found, scratch.mill.false_alarms, scratch.dice) == (0, 1, 0.0)
    assert evaluation.confusion.counts[0][1] == 1


def test_boxes_are_compared_where_the_truth_has_no_masks(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """Masks of detections do not count then, and there is no mask AP."""
    found = detections((square(0), 0.9, 0))
    evaluation = evaluate_detections([frame((square(0), 0))], [found], NAMES, has_masks=False)
    assert evaluation.overlap == "box"
    assert evaluation.total.mask is None
    assert evaluation.total.box.ap == pytest.approx(1.0)
    assert evaluation.total.dice == 1.0


def test_a_model_without_masks_fills_its_boxes(
    frame: Callable, detections: Callable, square: Callable
) -> None:
    """Its Dice is that of the boxes, and boxes are compared."""
    found = detections((square(0), 0.9, 0), masks=False)
    evaluation = evaluate_detections([frame((square(0), 0))], [found], NAMES, thresholds=(0.5, 0.5))
    assert (evaluation.overlap, evaluation.total.dice) == ("box", 1.0)


@law
@given(seed=st.integers(0, 10_000))
def test_perfect_detections_have_perfect_figures(chance_frames: Callable, seed: int) -> None:
    """Dice 1, AP 1, nothing missed, no alarms, and scores of 1 are calibrated."""
    frames, _ = chance_frames(seed)
    frames = [_without_overlaps(sample) for sample in frames]
    found = [_as_detections(sample) for sample in frames]
    evaluation = evaluate_detections(frames, found, NAMES)
    assert evaluation.total.dice == 1.0
    mill = evaluation.total.mill
    assert (mill.missed, mill.false_alarms) == (0, 0)
    if mill.defects:
        assert evaluation.total.mask is not None
        assert evaluation.total.mask.ap == pytest.approx(1.0)
        assert evaluation.total.box.ap == pytest.approx(1.0)
        assert evaluation.total.calibration.expected_error == 0.0
    counts = np.array(evaluation.confusion.counts)
    assert counts.sum() == np.trace(counts) == mill.defects


@law
@given(seed=st.integers(0, 10_000))
def test_silence_scores_what_nothing_scores(chance_frames: Callable, detections: Callable, seed: int) -> None:
    """Every defect is missed, and there is no error of calibration to speak of."""
    frames, _ = chance_frames(seed)
    evaluation = evaluate_detections(frames, [detections() for _ in frames], NAMES)
    assert evaluation.total.dice == pytest.approx(evaluation.total.dice_of_nothing)
    assert evaluation.total.mill.found == evaluation.total.mill.false_alarms == 0
    assert evaluation.total.calibration.expected_error is None


@law
@given(seed=st.integers(0, 10_000))
def test_sums_add_up(chance_frames: Callable, seed: int) -> None:
    """Defects are found or missed; rows of the confusion are defects, columns detections."""
    frames, found = chance_frames(seed)
    evaluation = evaluate_detections(frames, found, NAMES, thresholds=(0.4, 0.6))
    mill = evaluation.total.mill
    counts = np.array(evaluation.confusion.counts)
    assert mill.found + mill.missed == mill.defects == counts[:-1].sum()
    assert mill.detections == counts[:, :-1].sum()
    assert evaluation.total.dice == pytest.approx(np.mean([f.dice for f in evaluation.by_frame]))
    assert mill.found == sum(f.found for f in evaluation.by_frame)
    assert mill.false_alarms == sum(f.false_alarms for f in evaluation.by_frame)
    for figures, threshold in zip(evaluation.classes, (0.4, 0.6), strict=True):
        at = figures.by_threshold.thresholds.index(threshold)
        assert figures.by_threshold.dice[at] == pytest.approx(figures.dice)


def test_frames_in_files_are_judged_like_frames_in_memory(chance_frames: Callable, tmp_path: Path) -> None:
    """The pictures themselves are not needed."""
    samples, found = chance_frames(5)
    for sample in samples:
        cv2.imwrite(str(tmp_path / sample.name), sample.image)
    in_files = [LabelledFrame(tmp_path / s.name, *s.image.shape, s.instances) for s in samples]
    assert evaluate_detections(samples, found, NAMES) == evaluate_detections(in_files, found, NAMES)


def test_the_record_survives_its_file(chance_frames: Callable) -> None:
    """What JSON gives back is what was found out; what is not known stays None."""
    frames, found = chance_frames(7)
    evaluation = evaluate_detections(
        frames, found, NAMES, origin=Origin(model_name="m", data="d", lowest_score=0.05)
    )
    assert msgspec.json.decode(msgspec.json.encode(evaluation), type=Evaluation) == evaluation


def test_the_record_says_what_thresholds_are_tuned_for(chance_frames: Callable) -> None:
    """Whoever reads figures knows that they flatter."""
    frames, found = chance_frames(11)
    evaluation = evaluate_detections(frames, found, NAMES, tuning=Tuning("f1"))
    assert evaluation.thresholds_from == "tuned on these frames for f1"


def test_no_frames_is_an_error() -> None:
    """A mean over nothing is no figure."""
    with pytest.raises(SettingsError, match="no frames"):
        evaluate_detections([], [], NAMES)


def test_the_pitch_is_the_one_that_replayed_cameras_assume() -> None:
    """Lengths of the evaluation and of a replay agree."""
    assert ASSUMED_PITCH_Y_MM == DEFAULT_PITCH_MM


def _without_overlaps(sample: Sample) -> Sample:
    """Keep the first of instances that share a pixel: the other's IoU would not tell them apart."""
    taken, kept = np.zeros(sample.image.shape, np.bool_), []
    for instance in sample.instances:
        x0, y0, x1, y1 = instance.box_px
        if not taken[y0:y1, x0:x1].any():
            taken[y0:y1, x0:x1] = True
            kept.append(instance)
    return replace(sample, instances=tuple(kept))


def _as_detections(sample: Sample) -> Detections:
    return Detections(
        boxes=np.array([i.box_px for i in sample.instances], np.float32).reshape(-1, 4),
        scores=np.ones(len(sample.instances), np.float32),
        classes=np.array([i.class_id for i in sample.instances], np.int64),
        masks=tuple(i.mask for i in sample.instances),
    )
