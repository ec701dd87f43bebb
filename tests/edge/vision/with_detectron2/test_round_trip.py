"""Checkpoints from here load in Detectron2 and the reverse; skipped where Detectron2 is not installed."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edge.vision.native.checkpoint import load_weights, read_weights
from edge.vision.native.config import parse_config
from edge.vision.native.rcnn import build_model

# Not through `skip_or_fail`: no package index has Detectron2, so that no machine can promise it.
pytest.importorskip("detectron2", reason="Detectron2 is not installed")
# The library is not written for the newest versions of what it builds on.
pytestmark = pytest.mark.filterwarnings("ignore")

Raw = Callable[..., dict[str, Any]]

VARIANTS: dict[str, dict[str, Any]] = {
    "BN": {},
    "FrozenBN": {"MODEL.RESNETS.NORM": "FrozenBN", "MODEL.BACKBONE.FREEZE_AT": 2},
    "frozen BN": {"MODEL.BACKBONE.FREEZE_AT": 2},
    "no norm": {"MODEL.RESNETS.NORM": ""},
    "GN": {
        "MODEL.RESNETS": {
            "NORM": "GN",
            "STEM_OUT_CHANNELS": 32,
            "RES2_OUT_CHANNELS": 32,
            "WIDTH_PER_GROUP": 32,
        },
        "MODEL.FPN": {"NORM": "GN", "OUT_CHANNELS": 32},
        "MODEL.ROI_BOX_HEAD": {"NUM_CONV": 2, "CONV_DIM": 32, "NORM": "GN", "NUM_FC": 1},
        "MODEL.ROI_MASK_HEAD": {"NORM": "GN", "CONV_DIM": 32},
    },
    "basic blocks": {"MODEL.RESNETS": {"DEPTH": 18, "RES2_OUT_CHANNELS": 64}},
    "groups": {"MODEL.RESNETS": {"NUM_GROUPS": 4}},
    "EfficientNet-Lite": {
        "MODEL.BACKBONE.NAME": "build_efficientnet_lite_fpn_backbone",
        "MODEL.EFFICIENTNET_LITE": {"VARIANT": "lite1", "NORM": "BN"},
    },
    "class-agnostic": {
        "MODEL.MASK_ON": False,
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
    },
    "agnostic masks": {"MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK": True},
    "cascade": {"MODEL.ROI_HEADS.NAME": "CascadeROIHeads", "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True},
    "other anchors": {
        "MODEL.ANCHOR_GENERATOR": {"SIZES": [[8, 12]], "ASPECT_RATIOS": [[0.2, 1.0, 5.0, 9.0]], "OFFSET": 0.5}
    },
}

variants = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())


def _theirs(raw: dict[str, Any]) -> nn.Module:
    from detectron2.config import CfgNode  # noqa: PLC0415 - not at collection, for its warnings
    from detectron2.modeling import build_model as build  # noqa: PLC0415

    from edge.vision.with_detectron2.efficientnet_lite import base_config  # noqa: PLC0415 - an extra

    cfg = base_config()
    cfg.merge_from_other_cfg(CfgNode(raw))
    cfg.MODEL.DEVICE = "cpu"
    model: nn.Module = build(cfg)
    return model


def _with_random_weights(model: nn.Module) -> nn.Module:
    """Fresh biases and statistics would be equal whichever is loaded."""
    torch.manual_seed(0)
    state = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model


@variants
def test_our_checkpoints_load_in_detectron2(raw_config: Raw, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Strictly: no name is missing, none is left over, and all values arrive."""
    from detectron2.checkpoint import DetectionCheckpointer  # noqa: PLC0415

    raw = raw_config(**changes)
    ours, theirs = _with_random_weights(build_model(parse_config(raw))), _theirs(raw)
    torch.save({"model": ours.state_dict()}, tmp_path / "model.pth")
    theirs.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True)["model"], strict=True)
    torch.testing.assert_close(dict(theirs.state_dict()), dict(ours.state_dict()), rtol=0, atol=0)
    again = _theirs(raw)
    DetectionCheckpointer(again).load(str(tmp_path / "model.pth"))
    torch.testing.assert_close(dict(again.state_dict()), dict(ours.state_dict()), rtol=0, atol=0)


@variants
def test_detectron2_s_checkpoints_load_here(raw_config: Raw, tmp_path: Path, changes: dict[str, Any]) -> None:
    """As its checkpointer saves them, and as its model zoo has them."""
    from detectron2.checkpoint import DetectionCheckpointer  # noqa: PLC0415

    raw = raw_config(**changes)
    theirs = _with_random_weights(_theirs(raw))
    DetectionCheckpointer(theirs, str(tmp_path)).save("model", iteration=7)
    arrays = {name: value.numpy() for name, value in theirs.state_dict().items()}
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "zoo"}))
    for name in ("model.pth", "model.pkl"):
        ours = build_model(parse_config(raw))
        load_weights(ours, read_weights(tmp_path / name), source=tmp_path / name)
        torch.testing.assert_close(_learnt(ours), _learnt(theirs), rtol=0, atol=0)
    again = _theirs(raw)
    DetectionCheckpointer(again).load(str(tmp_path / "model.pkl"))
    torch.testing.assert_close(dict(again.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)


def _learnt(model: nn.Module) -> dict[str, torch.Tensor]:
    """All but batch norm's counter, which is not read here."""
    return {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
