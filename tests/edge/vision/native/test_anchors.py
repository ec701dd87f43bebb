"""Anchors."""

import torch

from edge.vision.native.anchors import AnchorGenerator, cell_anchors
from edge.vision.native.config import AnchorGenerator as AnchorConfig


def test_cell_anchors_keep_their_area_whatever_their_ratio() -> None:
    """Area is size squared, and ratio is height over width."""
    boxes = cell_anchors([32, 64], [0.5, 1.0, 2.0])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    torch.testing.assert_close(width * height, torch.tensor([1024.0] * 3 + [4096.0] * 3))
    torch.testing.assert_close(height / width, torch.tensor([0.5, 1.0, 2.0] * 2))


def test_anchors_follow_the_grid_row_by_row() -> None:
    """Columns run fastest; the offset is a part of the stride."""
    config = AnchorConfig(sizes=((8,),), aspect_ratios=((1.0,),), offset=0.5)
    (anchors,) = AnchorGenerator(config, [16])([torch.zeros(1, 1, 2, 3)])
    centers = ((anchors[:, :2] + anchors[:, 2:]) / 2).tolist()
    assert centers == [[8, 8], [24, 8], [40, 8], [8, 24], [24, 24], [40, 24]]


def test_anchors_stay_float32_over_half_precision_features() -> None:
    """Coordinates beyond 256 px have no room in bfloat16."""
    (anchors,) = AnchorGenerator(AnchorConfig(), [4])([torch.zeros(1, 1, 1, 400, dtype=torch.bfloat16)])
    assert anchors.dtype == torch.float32


def test_anchors_are_no_part_of_the_checkpoint() -> None:
    """Detectron2's checkpoints do not hold them either."""
    assert not AnchorGenerator(AnchorConfig(), [4, 8]).state_dict()
