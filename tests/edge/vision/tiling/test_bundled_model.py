"""The bundled model on strip that is larger than any it has learned from."""

from functools import cache

import numpy as np
import pytest

from edge.daemon import load_model
from edge.settings import ModelSettings
from edge.training.synthetic import SyntheticStrip
from edge.training.synthetic.defects import paint_defect
from edge.training.synthetic.shapes import patch_outline
from edge.vision.detections import Detections
from edge.vision.runtime import Image, Runtime

WIDTH, HEIGHT = 1900, 400  # two tiles of 1600 x 256 px across the strip, and two along it
pytestmark = pytest.mark.timeout(400)  # a busy machine draws and inspects slowly

PATCH = 3  # Severstal's class 4, rolled-in scale


@pytest.fixture(scope="module")
def model() -> Runtime:
    """As the daemon loads it without a word in its settings."""
    return load_model(ModelSettings(device="cpu"))


@cache
def clean_strip() -> np.ndarray:
    """(HEIGHT, WIDTH) grey levels of drawn steel; drawing it takes longer than inspecting it."""
    return SyntheticStrip(5, WIDTH, HEIGHT, defect_rate=0.0).frame(0).image.astype(np.float32)


def strip_with_patch(x: int, y: int, *, width: int = 220, height: int = 130) -> Image:
    """Clean drawn strip, and one patch whose box begins at (x, y)."""
    steel, random = clean_strip().copy(), np.random.default_rng(4)
    outline = patch_outline(height, width, random)
    paint_defect(PATCH, steel[y : y + height, x : x + width], outline, random)
    return np.clip(steel + 0.5, 0, 255).astype(np.uint8)


def box_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    corner, far = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = np.prod(np.clip(far - corner, 0, None))
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return float(common / (sum(areas) - common))


def patches(found: Detections) -> np.ndarray:
    """The boxes of the patches that were found."""
    return found.boxes[found.classes == PATCH]


# Tiles begin at columns 0 and 300 and at rows 0 and 144, and end at columns 1600 and 1900, rows 256 and 400.
@pytest.mark.parametrize(
    ("x", "y"),
    [(700, 20), (700, 150), (1510, 160)],
    ids=["on one tile", "cut along the strip", "cut by four tiles"],
)
def test_a_defect_comes_out_once_wherever_borders_cut_it(model: Runtime, x: int, y: int) -> None:
    """One patch, whole, with a mask that fills most of its box, as on a frame of the model's own size."""
    image = strip_with_patch(x, y)
    left, top = min(max(x - 690, 0), WIDTH - 1600), min(max(y - 60, 0), HEIGHT - 256)
    (alone,) = model.infer([image[top : top + 256, left : left + 1600]])
    (found,) = model.infer([image])
    assert len(patches(alone)) == 1
    assert len(patches(found)) == 1
    expected = patches(alone)[0] + np.array([left, top, left, top])
    assert box_iou(patches(found)[0], expected) > 0.8
    assert box_iou(patches(found)[0], np.array([x, y, x + 220, y + 130])) > 0.7
    assert found.masks is not None
    mask = found.masks[int(np.argmax(found.classes == PATCH))]
    assert mask.area_px > 0.5 * 220 * 130
