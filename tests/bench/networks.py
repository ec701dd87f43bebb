"""Networks of known sizes with random weights: what they find means nothing, what it costs is true."""

from pathlib import Path
from typing import Any

import torch
import yaml

from edge.vision.native.config import parse_config
from edge.vision.native.rcnn import build_model

CLASSES = 4
DETECTIONS = 10  # of an untrained model, which would otherwise mask a hundred on every frame
PROPOSALS = 1000
MEAN, DEVIATION = [85.0] * 3, [112.0] * 3
LEVELS = ["res2", "res3", "res4", "res5"]


def write_random(folder: Path, depth: int) -> Path:
    """Write a model folder of Detectron2's classic Mask R-CNN on a ResNet with FPN, untrained."""
    folder.mkdir()
    raw = _config(depth)
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    torch.manual_seed(0)
    torch.save({"model": build_model(parse_config(raw)).state_dict()}, folder / "model.pth")
    return folder


def _config(depth: int) -> dict[str, Any]:
    resnets: dict[str, Any] = {"DEPTH": depth, "OUT_FEATURES": LEVELS, "NORM": "FrozenBN"}
    if depth == 18:
        resnets["RES2_OUT_CHANNELS"] = 64
    return {
        "VERSION": 2,
        "INPUT": {"MIN_SIZE_TEST": 256, "MAX_SIZE_TEST": 1600},
        "MODEL": {
            "MASK_ON": True,
            "WEIGHTS": "model.pth",
            "PIXEL_MEAN": MEAN,
            "PIXEL_STD": DEVIATION,
            "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
            "RESNETS": resnets,
            "FPN": {"IN_FEATURES": LEVELS},
            "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
            "RPN": {
                "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
                "PRE_NMS_TOPK_TEST": PROPOSALS,
                "POST_NMS_TOPK_TEST": PROPOSALS,
            },
            "ROI_HEADS": {
                "NAME": "StandardROIHeads",
                "IN_FEATURES": ["p2", "p3", "p4", "p5"],
                "NUM_CLASSES": CLASSES,
            },
            "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
            "ROI_MASK_HEAD": {"NUM_CONV": 4},
        },
        "TEST": {"DETECTIONS_PER_IMAGE": DETECTIONS},
    }
