"""Against what Detectron2 itself answered: same detections on the same pictures."""

from typing import Any

import pytest

from edge.vision.native.runtime import NativeRuntime

MODELS = ("mask_rcnn_r50_frozenbn", "mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("together", [True, False], ids=["batch", "singly"])
def test_the_answers_are_detectron2_s(reference: Any, model: str, together: bool) -> None:
    """Boxes within 0.05 px, scores within 1e-3, 99.9 % of mask pixels; six pictures at once or singly."""
    runtime = NativeRuntime(reference.folder / model, device="cpu")
    images = reference.images
    found = runtime.infer(images) if together else [runtime.infer([image])[0] for image in images]
    reference.assert_stored(found, model)
