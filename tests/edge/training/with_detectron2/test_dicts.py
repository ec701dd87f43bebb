"""Data sets in Detectron2's format."""

from collections.abc import Callable
from pathlib import Path

from pycocotools import mask as coco_mask

from edge.training.data import open_dataset
from edge.training.with_detectron2.dicts import dataset_dicts


def test_frames_become_dicts_with_boxes_and_run_lengths(squares: Callable[..., Path]) -> None:
    """Names, sizes, boxes as corners, classes, masks of the whole frame; clean frames have no annotations."""
    dicts = dataset_dicts(open_dataset(squares()))
    assert (dicts[0]["height"], dicts[0]["width"], dicts[0]["image_id"]) == (64, 96, "squares0.png")
    assert Path(dicts[0]["file_name"]).is_file()
    (annotation,) = dicts[0]["annotations"]
    x0, y0, x1, y1 = annotation["bbox"]
    assert (x1 - x0, y1 - y0) == (24, 24)
    assert coco_mask.area(annotation["segmentation"]) == 24 * 24
    assert annotation["segmentation"]["size"] == [64, 96]
    assert dicts[4]["annotations"] == []


def test_sets_without_masks_give_none(squares: Callable[..., Path]) -> None:
    """Boxes are not made masks of."""
    dicts = dataset_dicts(open_dataset(squares(masks=False)))
    assert "segmentation" not in dicts[0]["annotations"][0]
