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


# Small models, trained for minutes, have many detections that are nearly as good as their neighbours, so that
# rounding also decides which of them NMS leaves: the median tells what rounding does to a box.
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("precision", "pictures", "tolerance"),
    [
        ("bfloat16", 6, {"met": 0.95, "overlap": 0.95, "score": 0.03}),
        ("auto", 6, {"met": 0.95, "overlap": 0.95, "score": 0.03}),
        # Two pictures: a CPU without instructions for it takes its time.
        ("float16", 2, {"met": 0.98, "overlap": 0.99, "score": 0.005}),
    ],
    ids=["bfloat16", "auto", "float16"],
)
def test_lower_precision_finds_what_detectron2_finds(
    reference: Any, model: str, precision: str, pictures: int, tolerance: dict[str, float]
) -> None:
    """Most of what Detectron2 is sure of, boxes and masks nearly the same, scores within hundredths."""
    runtime = NativeRuntime(reference.folder / model, device="cpu", precision=precision)
    reference.assert_close(runtime.infer(reference.images[:pictures]), model, **tolerance)
