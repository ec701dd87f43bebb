"""Tiny models with random weights: every part of a real one, in milliseconds; and what real ones answered."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import yaml

from edge.contracts.mask import Mask
from edge.vision.detections import Detections

RawConfig = dict[str, Any]

SURE = 0.5  # the score of a detection that must not get lost
MET = 0.5  # the IoU that counts as found

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


class Expected:
    """What a model is to answer for one picture of (height, width); masks are (N, height, width)."""

    def __init__(self, found: Detections, shape: tuple[int, int]) -> None:
        self.boxes, self.scores, self.classes = found.boxes, found.scores, found.classes
        self.masks = None if found.masks is None else [_pasted(mask, shape) for mask in found.masks]


class Stored(Expected):
    """What Detectron2 answered once."""

    def __init__(self, file: Path, picture: int, shape: tuple[int, int]) -> None:
        with np.load(file) as stored:
            self.boxes = stored[f"{picture}/boxes"]
            self.scores = stored[f"{picture}/scores"]
            self.classes = stored[f"{picture}/classes"]
            bits = stored.get(f"{picture}/masks")
        pixels = shape[0] * shape[1]
        self.masks = None if bits is None else np.unpackbits(bits, axis=1)[:, :pixels].reshape(-1, *shape) > 0


class Reference:
    """The models and pictures of ``shared/data/detectron2-reference``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = [cv2.imread(str(file)) for file in sorted((folder / "images").glob("*.png"))]

    def assert_stored(self, found: list[Detections], model: str) -> None:
        """All that was found on the pictures is what Detectron2 answered once."""
        assert len(found) == len(self.images) == 6
        for picture, (image, detections) in enumerate(zip(self.images, found, strict=True)):
            shape = image.shape[:2]
            stored = Stored(self.folder / model / "expected.npz", picture, shape)
            _assert_agrees(detections, stored, shape)

    def assert_close(
        self, found: list[Detections], model: str, *, met: float, overlap: float, score: float
    ) -> None:
        """What Detectron2 was sure of on the first pictures was found by a coarser model, and much alike.

        ``met``: the least share of it that a box of its class overlaps by half and more; ``overlap``: the
        least median IoU, of boxes and of masks; ``score``: the largest median difference of scores.
        """
        alike = []
        for picture, detections in enumerate(found):
            shape = self.images[picture].shape[:2]
            stored = Stored(self.folder / model / "expected.npz", picture, shape)
            alike += [_likeness(detections, stored, j, shape) for j in np.nonzero(stored.scores >= SURE)[0]]
        boxes, scores, masks = np.array(alike).T
        assert len(alike) > 5
        assert (boxes >= MET).mean() >= met
        assert np.median(boxes) >= overlap
        assert np.median(scores) <= score
        assert np.median(masks) >= overlap

    def assert_same(self, found: list[Detections], expected: list[Detections]) -> None:
        """Two runtimes found the same on the pictures."""
        for image, one, other in zip(self.images, found, expected, strict=True):
            shape = image.shape[:2]
            _assert_agrees(one, Expected(other, shape), shape)


@pytest.fixture(scope="session")
def reference(shared_data: Path) -> Reference:
    """What Detectron2 itself answered, with the models that it asked."""
    return Reference(shared_data / "detectron2-reference")


def _pasted(mask: Mask, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    pasted = np.zeros(shape, np.bool_)
    pasted[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = mask.decode()
    return pasted


def _iou(box: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    corner, far = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(far - corner, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(common / (areas - common))


def _match(found: Detections, expected: Expected) -> list[tuple[int, int]]:
    """Pair every detection with the expected one of its class that overlaps it most; none is taken twice."""
    pairs = []
    free = np.ones(len(expected.boxes), np.bool_)
    for i, box in enumerate(found.boxes):
        candidates = free & (expected.classes == found.classes[i])
        best = int(np.argmax(np.where(candidates, _iou(box, expected.boxes), -1)))
        free[best] = False
        pairs.append((i, best))
    return pairs


def _likeness(
    found: Detections, expected: Expected, j: int, shape: tuple[int, int]
) -> tuple[float, float, float]:
    """IoU of the best box of its class, the difference of scores, and IoU of masks (1 without masks)."""
    overlaps = np.where(found.classes == expected.classes[j], _iou(expected.boxes[j], found.boxes), 0)
    i = int(overlaps.argmax())
    difference = abs(float(found.scores[i] - expected.scores[j]))
    if found.masks is None or expected.masks is None:
        return float(overlaps[i]), difference, 1.0
    pasted, mask = _pasted(found.masks[i], shape), expected.masks[j]
    return float(overlaps[i]), difference, float((pasted & mask).sum() / (pasted | mask).sum())


def _assert_agrees(found: Detections, expected: Expected, shape: tuple[int, int]) -> None:
    assert len(found) == len(expected.boxes)
    for i, j in _match(found, expected):
        assert found.classes[i] == expected.classes[j]
        np.testing.assert_allclose(found.boxes[i], expected.boxes[j], rtol=0, atol=0.05)
        np.testing.assert_allclose(found.scores[i], expected.scores[j], rtol=0, atol=1e-3)
        if found.masks is None or expected.masks is None:
            assert found.masks is expected.masks is None
            continue
        pasted = _pasted(found.masks[i], shape)
        assert (pasted == expected.masks[j]).mean() >= 0.999
        union = (pasted | expected.masks[j]).sum()
        assert (pasted & expected.masks[j]).sum() >= 0.999 * union - 1
