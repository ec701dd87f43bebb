"""Against what Detectron2 itself answered: same detections on the same pictures."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.vision.detections import Detections
from edge.vision.native.runtime import NativeRuntime

MODELS = ("mask_rcnn_r50_frozenbn", "mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50")
PICTURES = range(6)


class Expected:
    """Detectron2's answer for one picture of (height, width)."""

    def __init__(self, file: Path, picture: int, shape: tuple[int, int]) -> None:
        with np.load(file) as stored:
            self.boxes = stored[f"{picture}/boxes"]
            self.scores = stored[f"{picture}/scores"]
            self.classes = stored[f"{picture}/classes"]
            bits = stored.get(f"{picture}/masks")
        pixels = shape[0] * shape[1]
        self.masks = None if bits is None else np.unpackbits(bits, axis=1)[:, :pixels].reshape(-1, *shape) > 0


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


def _assert_agrees(found: Detections, expected: Expected, shape: tuple[int, int]) -> None:
    assert len(found) == len(expected.boxes)
    for i, j in _match(found, expected):
        assert found.classes[i] == expected.classes[j]
        np.testing.assert_allclose(found.boxes[i], expected.boxes[j], rtol=0, atol=0.05)
        np.testing.assert_allclose(found.scores[i], expected.scores[j], rtol=0, atol=1e-3)
        if found.masks is None or expected.masks is None:
            assert found.masks is expected.masks is None
            continue
        mask = found.masks[i]
        pasted = np.zeros(shape, np.bool_)
        pasted[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = mask.decode()
        assert (pasted == expected.masks[j]).mean() >= 0.999
        union = (pasted | expected.masks[j]).sum()
        assert (pasted & expected.masks[j]).sum() >= 0.999 * union - 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("together", [True, False], ids=["batch", "singly"])
def test_the_answers_are_detectron2_s(shared_data: Path, model: str, together: bool) -> None:
    """Boxes within 0.05 px, scores within 1e-3, 99.9 % of mask pixels; six pictures at once or singly."""
    reference = shared_data / "detectron2-reference"
    images = [cv2.imread(str(reference / "images" / f"{picture}.png")) for picture in PICTURES]
    runtime = NativeRuntime(reference / model, device="cpu")
    found = runtime.infer(images) if together else [runtime.infer([image])[0] for image in images]
    for picture, image in zip(PICTURES, images, strict=True):
        expected = Expected(reference / model / "expected.npz", picture, image.shape[:2])
        _assert_agrees(found[picture], expected, image.shape[:2])
