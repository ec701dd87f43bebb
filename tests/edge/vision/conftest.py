"""Tiny models with random weights: every part of a real one, in milliseconds."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

RawConfig = dict[str, Any]

TINY: RawConfig = {
    "VERSION": 2,
    "INPUT": {"FORMAT": "BGR", "MIN_SIZE_TEST": 64, "MAX_SIZE_TEST": 128},
    "MODEL": {
        "META_ARCHITECTURE": "GeneralizedRCNN",
        "MASK_ON": True,
        "WEIGHTS": "model.pth",
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone", "FREEZE_AT": 0},
        "RESNETS": {
            "DEPTH": 50,
            "NORM": "BN",
            "OUT_FEATURES": ["res2", "res3", "res4", "res5"],
            "RES2_OUT_CHANNELS": 16,
            "STEM_OUT_CHANNELS": 8,
            "WIDTH_PER_GROUP": 4,
        },
        "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"], "OUT_CHANNELS": 16},
        "ANCHOR_GENERATOR": {"SIZES": [[8], [16], [32], [64], [128]]},
        "RPN": {
            "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
            "PRE_NMS_TOPK_TRAIN": 40,
            "PRE_NMS_TOPK_TEST": 30,
            "POST_NMS_TOPK_TRAIN": 20,
            "POST_NMS_TOPK_TEST": 10,
        },
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p2", "p3", "p4", "p5"],
            "NUM_CLASSES": 3,
        },
        "ROI_BOX_HEAD": {
            "NAME": "FastRCNNConvFCHead",
            "NUM_FC": 2,
            "FC_DIM": 32,
            "POOLER_RESOLUTION": 7,
        },
        "ROI_MASK_HEAD": {"NUM_CONV": 2, "CONV_DIM": 16},
    },
}


def _merge(base: RawConfig, changes: RawConfig) -> RawConfig:
    for key, value in changes.items():
        if isinstance(value, dict):
            _merge(base.setdefault(key, {}), value)
        else:
            base[key] = value
    return base


@pytest.fixture
def raw_config() -> Callable[..., RawConfig]:
    """The tiny model's config as plain values, with changes by dotted key."""

    def build(**changes: Any) -> RawConfig:
        raw = deepcopy(TINY)
        for key, value in changes.items():
            nested: Any = value
            for part in reversed(key.split(".")):
                nested = {part: nested}
            _merge(raw, nested)
        return raw

    return build


@pytest.fixture
def model_folder(tmp_path: Path, raw_config: Callable[..., RawConfig]) -> Callable[..., Path]:
    """Write a folder with the tiny model's config and seeded random weights; changes as in ``raw_config``."""

    def build(**changes: Any) -> Path:
        import torch  # noqa: PLC0415 - most tests of the package around it do without

        from edge.vision.native.config import parse_config  # noqa: PLC0415
        from edge.vision.native.rcnn import build_model  # noqa: PLC0415

        raw = raw_config(**changes)
        folder = tmp_path / "tiny"
        folder.mkdir()
        (folder / "config.yaml").write_text(yaml.safe_dump(raw))
        torch.manual_seed(0)
        model = build_model(parse_config(raw))
        torch.save({"model": model.state_dict()}, folder / "model.pth")
        return folder

    return build


@pytest.fixture
def frame() -> Callable[..., npt.NDArray[np.uint8]]:
    """A seeded noise picture of any shape."""

    def build(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return build
