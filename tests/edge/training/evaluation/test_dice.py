"""Severstal's Dice, for every threshold at once."""

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contracts.mask import Mask
from edge.training.evaluation.dice import DiceProfile, dice

seeds = st.integers(0, 10_000)
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def full(masks: list[Mask], shape: tuple[int, int]) -> np.ndarray:
    """The union on the whole frame."""
    union = np.zeros(shape, np.bool_)
    for mask in masks:
        union[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] |= mask.decode()
    return union


def test_two_empty_masks_agree() -> None:
    """Nothing to find and nothing found is 1; half an overlap is 0.5."""
    nothing, one = np.zeros((4, 4), np.bool_), np.eye(4, dtype=np.bool_)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, one) == 0.0
    assert dice(np.array([[1, 1, 0]], np.bool_), np.array([[0, 1, 1]], np.bool_)) == 0.5


@law
@given(seed=seeds)
def test_dice_is_symmetric_and_between_0_and_1(seed: int) -> None:
    """And 1 of a mask with itself."""
    first, second = np.random.default_rng(seed).uniform(size=(2, 6, 9)) < 0.3
    assert dice(first, second) == dice(second, first)
    assert 0.0 <= dice(first, second) <= 1.0
    assert dice(first, first) == 1.0


@law
@given(seed=seeds)
def test_a_profile_is_the_dice_of_whole_frames(chance_frames: Callable, seed: int) -> None:
    """At any threshold, also at the very score of a detection, which it then leaves out."""
    frames, found = chance_frames(seed)
    for sample, detections in zip(frames, found, strict=True):
        for class_id in range(2):
            chosen = np.flatnonzero(detections.classes == class_id)
            masks = [detections.masks[index] for index in chosen]
            truth = [i.mask for i in sample.instances if i.class_id == class_id]
            scores = detections.scores[chosen]
            thresholds = np.array([0.0, 0.3, 0.99, *scores], np.float32)
            wanted = [
                dice(
                    full(truth, sample.image.shape),
                    full([m for m, s in zip(masks, scores, strict=True) if s > t], sample.image.shape),
                )
                for t in thresholds
            ]
            np.testing.assert_allclose(DiceProfile.of(truth, masks, scores).at(thresholds), wanted)


def test_a_detection_without_a_pixel_changes_nothing() -> None:
    """Kaggle sees pixels, not detections."""
    empty = Mask(x=0, y=0, width=0, height=0, counts=[])
    profile = DiceProfile.of([], [empty], np.array([0.9], np.float32))
    assert profile.at(np.array([0.5], np.float32)).tolist() == [1.0]
