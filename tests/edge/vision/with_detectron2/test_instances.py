"""From Detectron2's answers to detections; Detectron2 itself is not needed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from edge.errors import InferenceError, UnsupportedModelError
from edge.vision.with_detectron2.instances import to_detections

FRAME = (20, 30)
OPEN = torch.zeros(3)


class _Instances:
    """The part of Detectron2's structure that is read."""

    image_size = FRAME

    def __init__(self, boxes: Tensor, scores: Tensor, classes: Tensor, masks: Tensor | None = None) -> None:
        self.pred_boxes = SimpleNamespace(tensor=boxes)
        self.scores, self.pred_classes, self.pred_masks = scores, classes, masks

    def has(self, name: str) -> bool:
        return getattr(self, name) is not None


def _boxes(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), -1 if rows else 4)


def _mask(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    mask = torch.zeros(FRAME, dtype=torch.bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_detections_come_best_first() -> None:
    """Whatever order the model answers in, and in the types of the contract."""
    boxes = _boxes((1, 1, 5, 5), (2, 2, 8, 8), (3, 3, 9, 9))
    answer = _Instances(boxes, torch.tensor([0.2, 0.9, 0.5]).double(), torch.tensor([0, 1, 2]).int())
    found = to_detections(answer, OPEN)
    assert found.classes.tolist() == [1, 2, 0]
    assert found.boxes[0].tolist() == [2, 2, 8, 8]
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float32, np.float32, np.int64)
    assert found.masks is None


def test_each_class_has_its_threshold() -> None:
    """A detection stays when its score is greater, as in Detectron2."""
    scores = torch.tensor([0.8, 0.75, 0.75, 0.5])
    answer = _Instances(_boxes(*[(1, 1, 5, 5)] * 4), scores, torch.tensor([0, 1, 2, 0]))
    found = to_detections(answer, torch.tensor([0.6, 0.75, 0.7]))
    assert found.classes.tolist() == [0, 2]


def test_masks_are_cropped_to_their_boxes_and_stay_with_them() -> None:
    """Also when order and number change; nothing of the mask is lost."""
    masks = torch.stack((_mask(2, 3, 7, 9), _mask(0, 0, 1, 1), _mask(25, 15, 30, 20)))
    boxes = _boxes((2, 3, 7, 9), (0, 0, 1, 1), (25, 15, 30, 20))
    answer = _Instances(boxes, torch.tensor([0.5, 0.1, 0.9]), torch.tensor([0, 1, 2]), masks)
    found = to_detections(answer, torch.tensor([0.0, 0.2, 0.0]))
    assert found.masks is not None
    first, second = found.masks
    assert (first.x, first.y, first.width, first.height, first.area_px) == (24, 14, 6, 6, 25)
    assert (second.x, second.y, second.width, second.height, second.area_px) == (1, 2, 7, 8, 30)
    assert second.decode()[1:7, 1:6].all()


def test_models_that_answer_masks_alone_get_their_boxes_from_them() -> None:
    """Mask2Former leaves all boxes at zero; a mask without a pixel is no detection."""
    masks = torch.stack((_mask(2, 3, 7, 9), _mask(0, 0, 0, 0), _mask(29, 19, 30, 20))).float()
    answer = _Instances(torch.zeros(3, 4), torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 2]), masks)
    found = to_detections(answer, OPEN)
    assert found.boxes.tolist() == [[2, 3, 7, 9], [29, 19, 30, 20]]
    assert found.masks is not None
    assert [mask.area_px for mask in found.masks] == [30, 1]


def test_boxes_end_with_the_frame() -> None:
    """And those beyond it are no detections."""
    boxes = _boxes((-3, -1, 5, 5), (31, 3, 40, 9))
    found = to_detections(_Instances(boxes, torch.ones(2), torch.zeros(2).long()), OPEN)
    assert found.boxes.tolist() == [[0, 0, 5, 5]]


@pytest.mark.parametrize("masks", [None, torch.zeros(0, *FRAME, dtype=torch.bool)])
def test_an_empty_answer_is_one(masks: Tensor | None) -> None:
    """With and without masks."""
    found = to_detections(_Instances(_boxes(), torch.zeros(0), torch.zeros(0).long(), masks), OPEN)
    assert found.boxes.shape == (0, 4)
    assert found.masks == (None if masks is None else ())


def test_a_class_without_a_name_is_an_error() -> None:
    """model.json names fewer classes than the model knows."""
    with pytest.raises(InferenceError, match="found class 3, but has names for 3"):
        to_detections(_Instances(_boxes((1, 1, 5, 5)), torch.ones(1), torch.tensor([3])), OPEN)


def test_rotated_boxes_are_refused() -> None:
    """A defect's record has an upright box."""
    with pytest.raises(UnsupportedModelError, match="boxes of 5 numbers"):
        to_detections(_Instances(_boxes((5, 5, 2, 2, 45)), torch.ones(1), torch.zeros(1).long()), OPEN)
