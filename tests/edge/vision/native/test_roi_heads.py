"""The second stage."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from edge.vision.native.config import parse_config
from edge.vision.native.rcnn import build_model
from edge.vision.native.roi_heads import CascadeRoiHeads, StandardRoiHeads, select_detections

Raw = Callable[..., dict[str, Any]]

BOXES = torch.tensor(
    [[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 11.0, 11.0], [50.0, 50.0, 60.0, 60.0], [-9.0, 0.0, 5.0, 99.0]]
)


def _select(
    boxes: torch.Tensor, scores: list[list[float]], **changes: Any
) -> tuple[list[Any], list[float], list[int]]:
    settings: dict[str, Any] = {"thresholds": torch.tensor([0.3, 0.6]), "nms_iou": 0.5, "max_detections": 100}
    found = select_detections(boxes, torch.tensor(scores), (80, 70), **(settings | changes))
    return found.boxes.tolist(), [round(s, 2) for s in found.scores.tolist()], found.classes.tolist()


def test_each_class_has_its_own_threshold_and_suppression() -> None:
    """Boxes suppress each other within a class only, and a score must exceed its class's threshold."""
    scores = [[0.9, 0.7], [0.8, 0.65], [0.3, 0.61], [0.4, 0.6]]
    boxes, kept, classes = _select(BOXES[:, None], scores)
    assert kept == [0.9, 0.7, 0.61, 0.4]
    assert classes == [0, 1, 1, 0]
    assert boxes[3] == [0, 0, 5, 80]


def test_a_class_may_have_boxes_of_its_own() -> None:
    """(R, K, 4) boxes are taken by class."""
    boxes, _, classes = _select(BOXES[:2].view(1, 2, 4), [[0.5, 0.7]])
    assert classes == [1, 0]
    assert boxes == [BOXES[1].tolist(), BOXES[0].tolist()]


def test_only_the_best_are_kept() -> None:
    """DETECTIONS_PER_IMAGE counts over the classes; negative is no limit."""
    scores = [[0.9, 0.95], [0.0, 0.0], [0.8, 0.7], [0.5, 0.9]]
    assert _select(BOXES[:, None], scores, max_detections=2)[1] == [0.95, 0.9]
    assert len(_select(BOXES[:, None], scores, max_detections=-1)[1]) == 6


def test_broken_numbers_cost_their_own_box_only() -> None:
    """A box or score that is not finite is left out."""
    boxes = BOXES.clone()
    boxes[0, 0] = torch.nan
    assert _select(boxes[:, None], [[0.9, 0.0], [float("inf"), 0.0], [0.8, 0.0], [0.7, 0.0]])[1] == [0.8, 0.7]


def test_nothing_above_the_thresholds_is_an_empty_answer() -> None:
    """A clean frame is no special case."""
    assert _select(BOXES[:, None], [[0.1, 0.1]] * 4) == ([], [], [])


def test_the_heads_in_training_give_logits_and_deltas_of_all_images(raw_config: Raw) -> None:
    """The parts that losses are made of have gradients down to the stem."""
    model = build_model(parse_config(raw_config())).train()
    assert isinstance(model.roi_heads, StandardRoiHeads)
    batch = model.batch([torch.rand(3, 64, 96) * 255, torch.rand(3, 50, 90) * 255])
    features = model.backbone(batch.pixels)
    proposals = model.proposal_generator.select(model.proposal_generator(features), batch.image_sizes)
    boxes = [p.boxes[:4] for p in proposals]
    logits, deltas = model.roi_heads.predict(features, boxes)
    masks = model.roi_heads.mask_logits(features, boxes)
    assert (logits.shape, deltas.shape, masks.shape) == ((8, 4), (8, 12), (8, 3, 28, 28))
    (logits.sum() + deltas.sum() + masks.sum()).backward()
    stem = model.backbone.bottom_up.stem.conv1.weight.grad
    assert stem is not None
    assert stem.abs().sum() > 0


def test_the_second_stage_s_answers_are_float32_under_autocast(raw_config: Raw) -> None:
    """Scores and boxes keep their precision when the convolutions give up theirs."""
    model = build_model(parse_config(raw_config())).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        (raw,) = model(model.batch([torch.rand(3, 64, 96) * 255]))
    assert raw.masks is not None
    assert (raw.found.boxes.dtype, raw.found.scores.dtype, raw.masks.dtype) == (torch.float32,) * 3


def test_a_cascade_has_detectron2_s_names_for_each_stage(raw_config: Raw) -> None:
    """roi_heads.box_head.<stage> and roi_heads.box_predictor.<stage>, with boxes shared by the classes."""
    changes = {"MODEL.ROI_HEADS.NAME": "CascadeROIHeads", "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True}
    model = build_model(parse_config(raw_config(**changes))).eval()
    state = model.state_dict()
    assert isinstance(model.roi_heads, CascadeRoiHeads)
    for stage in range(3):
        assert state[f"roi_heads.box_head.{stage}.fc1.weight"].shape == (32, 16 * 49)
        assert state[f"roi_heads.box_predictor.{stage}.bbox_pred.weight"].shape == (4, 32)


def test_sigmoid_scores_are_supported() -> None:
    """USE_SIGMOID_CE scores each class by itself."""
    config = parse_config({"MODEL": {"ROI_BOX_HEAD": {"USE_SIGMOID_CE": True}}})
    from edge.vision.native.heads import BoxPredictor  # noqa: PLC0415

    predictor = BoxPredictor(config.model.roi_box_head, 4, 2)
    torch.testing.assert_close(predictor.scores(torch.zeros(1, 3)), torch.full((1, 2), 0.5))


def test_asking_a_model_without_masks_for_masks_is_an_error(raw_config: Raw) -> None:
    """It has no mask head."""
    model = build_model(parse_config(raw_config(**{"MODEL.MASK_ON": False})))
    with pytest.raises(TypeError, match="no mask head"):
        model.roi_heads.mask_logits({}, [])
