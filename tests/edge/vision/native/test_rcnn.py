"""The network's outline: names, shapes, initial weights, batches."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from edge.errors import UnsupportedModelError
from edge.vision.native.config import parse_config
from edge.vision.native.layers import FrozenBatchNorm2d
from edge.vision.native.rcnn import build_model

Raw = Callable[..., dict[str, Any]]


def test_a_classic_config_gives_detectron2_s_parameters() -> None:
    """Detectron2 itself builds the zoo's mask_rcnn_R_50_FPN with 44,343,216 of them."""
    raw = {
        "MODEL": {
            "MASK_ON": True,
            "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
            "RESNETS": {"OUT_FEATURES": ["res2", "res3", "res4", "res5"]},
            "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
            "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
            "RPN": {"IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"]},
            "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["p2", "p3", "p4", "p5"]},
            "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
            "ROI_MASK_HEAD": {"NUM_CONV": 4},
        }
    }
    with torch.device("meta"):
        parameters = dict(build_model(parse_config(raw)).named_parameters())
    assert sum(p.numel() for p in parameters.values()) == 44_343_216
    assert parameters["roi_heads.box_predictor.cls_score.weight"].shape == (81, 1024)
    assert parameters["backbone.fpn_lateral5.weight"].shape == (256, 2048, 1, 1)


@pytest.mark.parametrize(
    ("norm", "bias"), [("BN", False), ("FrozenBN", False), ("SyncBN", False), ("", False)]
)
def test_backbone_convolutions_have_no_bias(raw_config: Raw, norm: str, bias: bool) -> None:
    """As in Detectron2, with and without norms."""
    state = build_model(parse_config(raw_config(**{"MODEL.RESNETS.NORM": norm}))).state_dict()
    assert ("backbone.bottom_up.res2.0.conv1.bias" in state) == bias
    assert ("backbone.bottom_up.res2.0.conv1.norm.weight" in state) == bool(norm)


def test_freeze_at_freezes_the_stem_and_the_first_stages(raw_config: Raw) -> None:
    """FREEZE_AT 2 is Detectron2's default: stem and res2."""
    model = build_model(parse_config(raw_config(**{"MODEL.BACKBONE.FREEZE_AT": 2})))
    bottom_up = model.backbone.bottom_up
    learning = {name.split(".")[0] for name, p in bottom_up.named_parameters() if p.requires_grad}
    assert learning == {"res3", "res4", "res5"}
    assert isinstance(model.get_submodule("backbone.bottom_up.res2.0.conv1.norm"), FrozenBatchNorm2d)


def test_basic_blocks_need_detectron2_s_widths(raw_config: Raw) -> None:
    """Depth 18 works at width 64 and is refused otherwise, as Detectron2 does."""
    wide = {"MODEL.RESNETS.DEPTH": 18, "MODEL.RESNETS.RES2_OUT_CHANNELS": 64}
    state = build_model(parse_config(raw_config(**wide))).state_dict()
    assert state["backbone.bottom_up.res2.0.shortcut.weight"].shape == (64, 8, 1, 1)
    with pytest.raises(UnsupportedModelError, match="RES2_OUT_CHANNELS"):
        build_model(parse_config(raw_config(**{"MODEL.RESNETS.DEPTH": 18})))


def test_fresh_weights_are_detectron2_s(raw_config: Raw) -> None:
    """He's for ReLU in the backbone, small Gaussians where predictions are made, zero biases."""
    torch.manual_seed(0)
    state = build_model(parse_config(raw_config())).state_dict()
    conv = state["backbone.bottom_up.res4.0.conv2.weight"]
    assert conv.std().item() == pytest.approx((2 / (conv.shape[0] * 9)) ** 0.5, rel=0.1)
    assert state["proposal_generator.rpn_head.conv.weight"].std().item() == pytest.approx(0.01, rel=0.1)
    assert state["roi_heads.box_predictor.bbox_pred.weight"].std().item() == pytest.approx(0.001, rel=0.2)
    fc = state["roi_heads.box_head.fc1.weight"]
    assert fc.abs().max().item() == pytest.approx((3 / fc.shape[1]) ** 0.5, rel=0.01)
    assert not state["roi_heads.box_predictor.cls_score.bias"].any()


def test_images_are_normalised_first_and_padded_with_zeros_then(raw_config: Raw) -> None:
    """A grey image counts as three equal channels; padding is the mean grey, not black."""
    changes = {"MODEL.PIXEL_MEAN": [10.0, 20.0, 30.0], "MODEL.PIXEL_STD": [1.0, 2.0, 5.0]}
    model = build_model(parse_config(raw_config(**changes)))
    batch = model.batch([torch.full((1, 33, 64), 40, dtype=torch.uint8), torch.zeros(3, 20, 20)])
    assert batch.pixels.shape == (2, 3, 64, 64)
    assert batch.image_sizes == [(33, 64), (20, 20)]
    assert batch.pixels[0, :, 32, 63].tolist() == [30, 10, 2]
    assert not batch.pixels[0, :, 33:].any()
    assert batch.pixels[1, :, 19, 19].tolist() == [-10, -10, -6]


def test_averaging_pyramids_halve_what_summing_ones_add(raw_config: Raw) -> None:
    """FUSE_TYPE avg is another network with the same parameters."""
    x = torch.rand(1, 3, 64, 64)
    outputs = []
    for fuse in ("sum", "avg"):
        torch.manual_seed(0)
        backbone = build_model(parse_config(raw_config(**{"MODEL.FPN.FUSE_TYPE": fuse}))).backbone.eval()
        outputs.append(backbone(x))
    torch.testing.assert_close(outputs[0]["p5"], outputs[1]["p5"])
    assert not torch.allclose(outputs[0]["p2"], outputs[1]["p2"])
