"""Box coding and box geometry."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.native.boxes import BoxCoder, clip, larger_than

Coordinates = st.floats(0, 1000, width=32)
Sizes = st.floats(1, 500, width=32)
Box = st.tuples(Coordinates, Coordinates, Sizes, Sizes).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
Weights = st.tuples(*[st.sampled_from([1.0, 5.0, 10.0, 30.0])] * 4)


@given(source=Box, target=Box, weights=Weights)
def test_decoding_undoes_encoding(
    source: tuple[float, ...], target: tuple[float, ...], weights: tuple[float, float, float, float]
) -> None:
    """Whatever the boxes and weights, deltas lead from source to target, unless it grows 62.5 times."""
    sources, targets = torch.tensor([source]), torch.tensor([target])
    growth = (targets[:, 2:] - targets[:, :2]) / (sources[:, 2:] - sources[:, :2])
    coder = BoxCoder(weights)
    decoded = coder.decode(coder.encode(sources, targets), sources)
    if (growth < 62).all():
        torch.testing.assert_close(decoded, targets, rtol=1e-3, atol=0.05)


def test_boxes_never_grow_more_than_detectron_allows() -> None:
    """exp() of a wild delta is limited to 1000 / 16."""
    deltas = torch.tensor([[0.0, 0.0, 50.0, 1.0]])
    decoded = BoxCoder((1.0, 1.0, 1.0, 1.0)).decode(deltas, torch.tensor([[0.0, 0.0, 2.0, 2.0]]))
    width, height = (decoded[0, 2:] - decoded[0, :2]).tolist()
    assert math.isclose(width, 125.0, rel_tol=1e-5)
    assert math.isclose(height, 2 * math.e, rel_tol=1e-5)


def test_each_class_has_its_own_deltas() -> None:
    """(N, K*4) deltas give (N, K*4) boxes, class after class."""
    deltas = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    decoded = BoxCoder((1.0, 1.0, 1.0, 1.0)).decode(deltas, torch.tensor([[0.0, 0.0, 10.0, 20.0]]))
    assert decoded.tolist() == [[0, 0, 10, 20, 10, 0, 20, 20]]


def test_half_precision_deltas_are_decoded_in_float32() -> None:
    """A box at 1,333 px would otherwise snap to multiples of 8."""
    deltas = torch.zeros(1, 4, dtype=torch.bfloat16)
    box = torch.tensor([[1331.0, 0.0, 1333.0, 2.0]])
    assert BoxCoder((1.0, 1.0, 1.0, 1.0)).decode(deltas, box).tolist() == box.tolist()


def test_clipping_knows_height_from_width() -> None:
    """The width ends x, and the height y."""
    box = torch.tensor([[-5.0, -5.0, 500.0, 500.0]])
    assert clip(box, (20, 30)).tolist() == [[0, 0, 30, 20]]


def test_a_box_needs_both_sides() -> None:
    """A line is no box."""
    boxes = torch.tensor([[0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 5.0, 0.0]])
    assert larger_than(boxes, 0).tolist() == [True, False, False]
