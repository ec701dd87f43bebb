"""The same pictures, defects, proposals and sampling for our losses and for Detectron2's."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edge.training.engine.losses import roi_losses
from edge.training.engine.rpn_losses import rpn_losses
from edge.training.engine.targets import Target
from edge.vision.native.checkpoint import load_weights, read_weights
from edge.vision.native.config import parse_config, read_yaml
from edge.vision.native.rcnn import GeneralizedRCNN, ImageBatch, build_model

RawConfig = dict[str, Any]
Losses = dict[str, Tensor]

STORED = Path(__file__).with_name("losses.json")
NUM_CLASSES = 4
PROPOSALS = 60
PREDICTORS = ("cls_score.weight", "bbox_pred.weight", "logits.weight", "deltas.weight", "predictor.weight")
# The first two have defects; the second is no multiple of 32, the third is clean.
SIZES = ((160, 224), (120, 200), (96, 96))
DEFECTS = (4, 6, 0)

TINY: RawConfig = {
    "VERSION": 2,
    "INPUT": {"FORMAT": "BGR"},
    "MODEL": {
        "META_ARCHITECTURE": "GeneralizedRCNN",
        "MASK_ON": True,
        "PIXEL_STD": [57.0, 57.0, 57.0],
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
            "BATCH_SIZE_PER_IMAGE": 64,
            "PRE_NMS_TOPK_TRAIN": 60,
            "POST_NMS_TOPK_TRAIN": 40,
        },
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p2", "p3", "p4", "p5"],
            "NUM_CLASSES": NUM_CLASSES,
            "BATCH_SIZE_PER_IMAGE": 32,
        },
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "FC_DIM": 32, "POOLER_RESOLUTION": 7},
        "ROI_MASK_HEAD": {"NAME": "MaskRCNNConvUpsampleHead", "NUM_CONV": 2, "CONV_DIM": 16},
    },
}


@dataclass(frozen=True)
class Case:
    """A model's config, its weights, and what it is shown: uint8 (3, H, W), defects, proposals (R, 4)."""

    raw: RawConfig
    weights: dict[str, Tensor] = field(repr=False)
    images: list[Tensor] = field(repr=False)
    targets: list[Target] = field(repr=False)
    proposals: list[Tensor] = field(repr=False)

    def native(self) -> GeneralizedRCNN:
        """Our model, to be trained."""
        model = build_model(parse_config(self.raw)).train()
        load_weights(model, self.weights, source=Path("weights"))
        return model

    def native_losses(self, model: GeneralizedRCNN) -> Losses:
        """Our losses of the case's own proposals."""
        config = parse_config(self.raw).model
        batch = self.native_batch(model)
        features = model.backbone(batch.pixels)
        rpn, sizes = model.proposal_generator, batch.image_sizes
        losses = rpn_losses(rpn(features), self.targets, sizes, config=config.rpn, coder=rpn.box_coder)
        return losses | roi_losses(
            model.roi_heads, config, features, self.proposals, self.targets, image_sizes=sizes
        )

    def native_batch(self, model: GeneralizedRCNN) -> ImageBatch:
        """Our batch in Detectron2's memory layout, so that convolutions round alike.

        Batch norm over a few cells makes differences of 1e-4 of another order of summation.
        """
        batch = model.batch(self.images)
        return ImageBatch(batch.pixels.contiguous(), batch.image_sizes)

    def detectron2(self) -> nn.Module:
        """Detectron2's model with the same weights, to be trained."""
        from detectron2.config import CfgNode, get_cfg  # noqa: PLC0415 - not at collection, for its warnings
        from detectron2.modeling import build_model as build  # noqa: PLC0415

        cfg = get_cfg()
        cfg.merge_from_other_cfg(CfgNode(deepcopy(self.raw)))
        cfg.MODEL.DEVICE = "cpu"
        model: nn.Module = build(cfg).train()
        load_weights(model, self.weights, source=Path("weights"))
        return model

    def detectron2_losses(self, model: Any) -> Losses:
        """Detectron2's losses of the case's own proposals."""
        from detectron2.structures import Boxes, Instances  # noqa: PLC0415
        from detectron2.utils.events import EventStorage  # noqa: PLC0415

        inputs = self.detectron2_inputs()
        targets = [one["instances"] for one in inputs]
        proposals = [
            Instances(t.image_size, proposal_boxes=Boxes(b.clone()), objectness_logits=torch.zeros(len(b)))
            for b, t in zip(self.proposals, targets, strict=True)
        ]
        with EventStorage():
            images = model.preprocess_image(inputs)
            features = model.backbone(images.tensor)
            _, losses = model.proposal_generator(images, features, targets)
            _, of_heads = model.roi_heads(images, features, proposals, targets)
        return {**losses, **of_heads}

    def detectron2_inputs(self) -> list[dict[str, Any]]:
        """What Detectron2's data loader would give for the case."""
        from detectron2.structures import BitMasks, Boxes, Instances  # noqa: PLC0415

        return [
            {
                "image": image,
                "instances": Instances(
                    (image.shape[1], image.shape[2]),
                    gt_boxes=Boxes(target.boxes.clone()),
                    gt_classes=target.classes.clone(),
                    gt_masks=BitMasks(target.masks),
                ),
            }
            for image, target in zip(self.images, self.targets, strict=True)
        ]


Tiny = Callable[..., Case]


@pytest.fixture
def tiny() -> Tiny:
    """A tiny model with seeded weights, with changes to the sections of its MODEL, on pictures of noise."""

    def build(changes: RawConfig | None = None, *, clean: bool = False) -> Case:
        raw = _changed(TINY, {"MODEL": changes or {}})
        weights = _random_weights(build_model(parse_config(raw)))
        images = [_noise(size, seed) for seed, size in enumerate(SIZES)]
        return _case(raw, weights, images, (0, 0, 0) if clean else DEFECTS)

    return build


@pytest.fixture
def reference(shared_data: Path) -> Callable[[str], Case]:
    """One of the models that Detectron2 has trained, on parts of the pictures that it was shown."""
    folder = shared_data / "detectron2-reference"

    def build(name: str) -> Case:
        raw = read_yaml(folder / name / "config.yaml")
        images = []
        for file, (height, width) in zip(("0.png", "3.png", "1.png"), SIZES, strict=True):
            picture = cv2.imread(str(folder / "images" / file))[:height, :width]
            ordered = picture[:, :, ::-1] if raw["INPUT"]["FORMAT"] == "RGB" else picture
            images.append(torch.from_numpy(ordered.transpose(2, 0, 1).copy()))
        return _case(raw, read_weights(folder / name / "model.pth"), images, DEFECTS)

    return build


@pytest.fixture
def stored() -> Callable[[str], dict[str, float]]:
    """What Detectron2 said once, by the name of the case."""

    def read(name: str) -> dict[str, float]:
        losses: dict[str, float] = json.loads(STORED.read_text(encoding="utf-8"))[name]
        return losses

    return read


@pytest.fixture
def store() -> Callable[[str, Losses], None]:
    """Replace what Detectron2 said once, if STRIPSIGHT_STORE_LOSSES is set."""

    def write(name: str, losses: Losses) -> None:
        if os.environ.get("STRIPSIGHT_STORE_LOSSES"):
            known = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
            known[name] = {key: losses[key].item() for key in sorted(losses)}
            STORED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    return write


@pytest.fixture
def same_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """One permutation for whoever asks, whichever version of torch: the golden ratio's."""

    def shuffled(count: int, **_: Any) -> Tensor:
        return torch.argsort(torch.arange(count, dtype=torch.float64) * 0.6180339887498949 % 1)

    monkeypatch.setattr(torch, "randperm", shuffled)


def _case(raw: RawConfig, weights: dict[str, Tensor], images: list[Tensor], defects: tuple[int, ...]) -> Case:
    targets = [
        _ellipses(size, count, seed)
        for seed, (size, count) in enumerate(zip(SIZES, defects, strict=True), start=10)
    ]
    proposals = [
        _proposals(target, size, seed) for seed, (target, size) in enumerate(zip(targets, SIZES, strict=True))
    ]
    return Case(raw, weights, images, targets, proposals)


def _noise(size: tuple[int, int], seed: int) -> Tensor:
    """Noise with structure at all scales, so that no feature map is flat."""
    rng = np.random.default_rng(seed)
    picture = sum(
        cv2.resize(rng.normal(0, 20, (size[0] // step, size[1] // step, 3)), size[::-1])
        for step in (1, 4, 16)
    )
    return torch.from_numpy(np.clip(np.asarray(picture) + 110, 0, 255).astype(np.uint8).transpose(2, 0, 1))


def _ellipses(size: tuple[int, int], count: int, seed: int) -> Target:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    masks = np.zeros((count, *size), np.bool_)
    boxes = np.zeros((count, 4), np.float32)
    for mask, box in zip(masks, boxes, strict=True):
        center_x, center_y = rng.uniform(20, size[1] - 20), rng.uniform(20, size[0] - 20)
        half_width, half_height = rng.uniform(6, 50, 2)
        mask[:] = ((x - center_x) / half_width) ** 2 + ((y - center_y) / half_height) ** 2 < 1
        rows, columns = np.nonzero(mask)
        box[:] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    classes = rng.integers(0, NUM_CLASSES, count)
    return Target(torch.from_numpy(boxes), torch.from_numpy(classes), torch.from_numpy(masks))


def _proposals(target: Target, size: tuple[int, int], seed: int) -> Tensor:
    """Half of them lie about defects, if there are any; the others anywhere."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.7, (PROPOSALS, 2)) * size[::-1]
    far = corner + rng.uniform(4, 0.3 * min(size), (PROPOSALS, 2))
    boxes = np.concatenate((corner, far), axis=1).astype(np.float32)
    if len(target.boxes):
        near = target.boxes.numpy()[rng.integers(0, len(target.boxes), PROPOSALS // 2)]
        sides = np.tile(near[:, 2:] - near[:, :2], 2)
        boxes[: len(near)] = near + rng.normal(0, 0.12, near.shape) * sides
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:] - 2), boxes[:, 2:]
    return torch.from_numpy(np.concatenate((low, high), axis=1).clip(0, (*size[::-1], *size[::-1]))).float()


def _random_weights(model: nn.Module) -> dict[str, Tensor]:
    """NumPy's numbers rather than torch's, whose initialisation is another in each version.

    Weak residual branches and weak predictors keep rounding errors from growing through the layers.
    """
    rng = np.random.default_rng(0)
    weights = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = rng.standard_normal(value.shape)
        if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            noise = 1 + 0.1 * noise
        elif value.ndim == 1:
            noise *= 0.1
        else:
            noise *= np.sqrt(2 / np.prod(value.shape[1:]))
        weak = "conv3.norm.weight" in name or name.endswith(PREDICTORS)
        weights[name] = torch.from_numpy((0.2 * noise if weak else noise).astype(np.float32))
    return weights


def _changed(base: RawConfig, changes: RawConfig) -> RawConfig:
    merged = deepcopy(base)
    for key, value in changes.items():
        merged[key] = _changed(merged.get(key, {}), value) if isinstance(value, dict) else value
    return merged
