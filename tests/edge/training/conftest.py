"""A model so small that it learns in seconds, and a handful of frames for it."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

Raw = dict[str, Any]

TINY: Raw = {
    "VERSION": 2,
    "SEED": 3,
    "INPUT": {
        "MIN_SIZE_TRAIN": [0],
        "MIN_SIZE_TEST": 0,
        "CROP": {"ENABLED": True, "TYPE": "absolute", "SIZE": [64, 64]},
    },
    "MODEL": {
        "MASK_ON": True,
        "PIXEL_STD": [50.0, 50.0, 50.0],
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone", "FREEZE_AT": 0},
        "RESNETS": {
            "DEPTH": 50,
            "OUT_FEATURES": ["res3", "res4", "res5"],
            "STEM_OUT_CHANNELS": 8,
            "RES2_OUT_CHANNELS": 8,
            "WIDTH_PER_GROUP": 4,
            "NORM": "BN",
        },
        "FPN": {"IN_FEATURES": ["res3", "res4", "res5"], "OUT_CHANNELS": 16},
        "ANCHOR_GENERATOR": {"SIZES": [[16], [32], [64], [128]], "ASPECT_RATIOS": [[1.0]]},
        "RPN": {"IN_FEATURES": ["p3", "p4", "p5", "p6"], "POST_NMS_TOPK_TRAIN": 20, "POST_NMS_TOPK_TEST": 10},
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p3", "p4", "p5"],
            "NUM_CLASSES": 2,
            "BATCH_SIZE_PER_IMAGE": 16,
        },
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 1, "FC_DIM": 32, "POOLER_RESOLUTION": 7},
        "ROI_MASK_HEAD": {
            "NAME": "MaskRCNNConvUpsampleHead",
            "NUM_CONV": 1,
            "CONV_DIM": 16,
            "POOLER_RESOLUTION": 14,
        },
    },
    "DATALOADER": {"NUM_WORKERS": 0, "FILTER_EMPTY_ANNOTATIONS": False},
    "SOLVER": {
        "IMS_PER_BATCH": 2,
        "BASE_LR": 0.004,
        "WARMUP_ITERS": 0,
        "CHECKPOINT_PERIOD": 2,
        "MAX_ITER": 4,
    },
}


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def raw_training() -> Callable[..., Raw]:
    """The tiny config as plain values, with changes by dotted key."""

    def build(**changes: Any) -> Raw:
        raw = deepcopy(TINY)
        for key, value in changes.items():
            *sections, last = key.split(".")
            section = raw
            for name in sections:
                section = section.setdefault(name, {})
            section[last] = value
        return raw

    return build


@pytest.fixture
def training_yaml(tmp_path: Path, raw_training: Callable[..., Raw]) -> Callable[..., Path]:
    """Write the tiny config; changes as in ``raw_training``."""

    def write(**changes: Any) -> Path:
        file = tmp_path / "tiny.yaml"
        file.write_text(yaml.safe_dump(raw_training(**changes)))
        return file

    return write


@pytest.fixture
def squares(tmp_path: Path) -> Callable[..., Path]:
    """Write a COCO set of 64x96 px frames: bright squares, dark ones, and every fifth frame clean."""

    def write(name: str = "squares", frames: int = 10, *, masks: bool = True, classes: int = 2) -> Path:
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        annotations: list[Raw] = []
        for number in range(frames):
            rng = np.random.default_rng(number)
            image = rng.integers(90, 130, (64, 96)).astype(np.uint8)
            if number % 5 < 4:
                class_id, side = number % 2, 24
                x, y = int(rng.integers(0, 96 - side)), int(rng.integers(0, 64 - side))
                image[y : y + side, x : x + side] = 20 if class_id else 230
                corners = [x, y, x + side, y, x + side, y + side, x, y + side]
                annotations.append(
                    {
                        "id": number + 1,
                        "image_id": number,
                        "category_id": class_id + 1,
                        "bbox": [x, y, side, side],
                        "area": side * side,
                        "iscrowd": 0,
                        **({"segmentation": [corners]} if masks else {}),
                    }
                )
            cv2.imwrite(str(folder / "images" / f"{name}{number}.png"), image)
        images = [{"id": n, "file_name": f"{name}{n}.png", "height": 64, "width": 96} for n in range(frames)]
        categories = [{"id": n + 1, "name": f"kind_{n + 1}"} for n in range(classes)]
        labels = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "labels.json").write_text(json.dumps(labels))
        return folder

    return write
