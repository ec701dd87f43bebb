"""Which configs can be trained, and how the others are refused."""

from typing import Any

import pytest

from edge.errors import UnsupportedModelError
from edge.training.engine.trainable import check_trainable
from edge.vision.native.config import parse_config

MODEL: dict[str, Any] = {
    "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
    "RESNETS": {"OUT_FEATURES": ["res4", "res5"]},
    "FPN": {"IN_FEATURES": ["res4", "res5"]},
    "RPN": {"IN_FEATURES": ["p4", "p5"]},
    "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["p4", "p5"]},
    "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 1},
}
CASCADE = {
    "ROI_HEADS": {"NAME": "CascadeROIHeads"},
    "ROI_BOX_HEAD": {"CLS_AGNOSTIC_BBOX_REG": True},
}


def check(*changes: dict[str, dict[str, Any]]) -> None:
    """Check a model with changes to its sections."""
    sections = {name: dict(section) for name, section in MODEL.items()}
    for change in changes:
        for name, keys in change.items():
            sections.setdefault(name, {}).update(keys)
    check_trainable(parse_config({"MODEL": sections}), source="config.yaml")


def test_what_detectron2_trains_is_trained() -> None:
    """With every kind of box loss, and in a cascade."""
    for kind in ("smooth_l1", "giou", "diou", "ciou"):
        check({"RPN": {"BBOX_REG_LOSS_TYPE": kind}, "ROI_BOX_HEAD": {"BBOX_REG_LOSS_TYPE": kind}})
    check({"ROI_HEADS": {"IOU_THRESHOLDS": [0.3, 0.5], "IOU_LABELS": [0, -1, 1]}})
    check(CASCADE)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"RPN": {"BBOX_REG_LOSS_TYPE": "eiou"}},
            r"MODEL\.RPN\.BBOX_REG_LOSS_TYPE: 'eiou' is not supported; supported: 'smooth_l1', 'giou'",
        ),
        ({"ROI_BOX_HEAD": {"BBOX_REG_LOSS_TYPE": "eiou"}}, r"MODEL\.ROI_BOX_HEAD\.BBOX_REG_LOSS_TYPE"),
        ({"ROI_BOX_HEAD": {"USE_FED_LOSS": True}}, r"MODEL\.ROI_BOX_HEAD\.USE_FED_LOSS: true"),
        ({"RPN": {"IOU_LABELS": [0, 1]}}, r"MODEL\.RPN\.IOU_LABELS \(one more than IOU_THRESHOLDS\): 2"),
        ({"ROI_HEADS": {"IOU_LABELS": [0, 2]}}, r"MODEL\.ROI_HEADS\.IOU_LABELS: 2"),
        ({"RPN": {"IOU_THRESHOLDS": [0.7, 0.3]}}, r"MODEL\.RPN\.IOU_THRESHOLDS: \[0\.7, 0\.3\]"),
    ],
)
def test_what_has_no_loss_here_is_refused_by_its_key(
    changes: dict[str, dict[str, Any]], complaint: str
) -> None:
    """The message names the file, the key, its value and what is supported."""
    with pytest.raises(UnsupportedModelError, match=f"^config.yaml: {complaint}"):
        check(changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ROI_BOX_CASCADE_HEAD": {"IOUS": [0.5, 0.6]}}, r"MODEL\.ROI_BOX_CASCADE_HEAD\.IOUS .*: 2"),
        ({"ROI_HEADS": {"IOU_THRESHOLDS": [0.4]}}, r"MODEL\.ROI_HEADS\.IOU_THRESHOLDS \(with a cascade\)"),
    ],
)
def test_a_cascade_s_stages_belong_together(changes: dict[str, dict[str, Any]], complaint: str) -> None:
    """As many IoUs as stages; the sample is labelled by the first."""
    with pytest.raises(UnsupportedModelError, match=complaint):
        check(CASCADE, changes)
