"""Matching and sampling of anchors and proposals on hand-made cases."""

import torch

from edge.training.engine.matcher import match, sample

TRUTH = torch.tensor([[0.0, 0.0, 10.0, 10.0], [100.0, 0.0, 120.0, 10.0]])
RPN = {"thresholds": (0.3, 0.7), "labels": (0, -1, 1)}


def test_overlap_decides_between_positive_ignored_and_negative() -> None:
    """IoU 1.0 is positive, 0.5 lies between the thresholds, 0 is negative."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0], [50.0, 50.0, 60.0, 60.0]])
    matches = match(TRUTH, boxes, **RPN, keep_best=False)
    assert matches.labels.tolist() == [1, -1, 0]
    assert matches.index[0] == 0


def test_a_threshold_belongs_to_the_upper_side() -> None:
    """A box of exactly IoU 0.5 counts as a hit at threshold 0.5."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 5.0]])
    assert match(TRUTH, boxes, thresholds=(0.5,), labels=(0, 1), keep_best=False).labels.tolist() == [1]


def test_every_defect_keeps_its_best_anchor() -> None:
    """The best anchor of a defect is positive below every threshold; so are those which tie with it."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 2.0], [0.0, 8.0, 10.0, 10.0], [100.0, 0.0, 104.0, 10.0]])
    assert match(TRUTH, boxes, **RPN, keep_best=True).labels.tolist() == [1, 1, 1]
    assert match(TRUTH, boxes, **RPN, keep_best=False).labels.tolist() == [0, 0, 0]


def test_a_clean_picture_makes_all_anchors_negative() -> None:
    """Without defects, everything is background."""
    matches = match(torch.zeros((0, 4)), TRUTH, **RPN, keep_best=True)
    assert matches.labels.tolist() == [0, 0]


def test_negatives_fill_up_what_positives_leave() -> None:
    """Two positives of the eight allowed, and fourteen negatives; ignored ones are never chosen."""
    labels = torch.tensor([1, 1] + [0] * 40 + [-1] * 5)
    positive, negative = sample(labels, 16, 0.5, negative=0)
    assert sorted(positive.tolist()) == [0, 1]
    assert len(negative) == 14
    assert all(2 <= index < 42 for index in negative.tolist())


def test_positives_are_limited_to_their_fraction() -> None:
    """A quarter of the sample is positive at most; class 0 is positive where 4 is background."""
    labels = torch.tensor([0, 1, 2, 3] * 25 + [4] * 100)
    positive, negative = sample(labels, 32, 0.25, negative=4)
    assert (len(positive), len(negative)) == (8, 24)
    assert (labels[negative] == 4).all()


def test_a_seed_repeats_a_choice() -> None:
    """The same state of torch's generator chooses the same sample."""
    labels = torch.tensor([1, 0] * 50)
    torch.manual_seed(1)
    first = sample(labels, 20, 0.5, negative=0)
    torch.manual_seed(1)
    again = sample(labels, 20, 0.5, negative=0)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
