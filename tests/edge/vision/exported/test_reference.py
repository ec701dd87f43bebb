"""Exports against what Detectron2 itself answered, through ONNX Runtime and OpenVINO."""

from pathlib import Path
from typing import Any

import pytest

from edge.vision import load_runtime
from edge.vision.export.write import Request, export
from tests.support.exports import kept_graphs


@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50"])
def test_the_answers_are_detectron2_s(reference: Any, tmp_path: Path, model: str) -> None:
    """Group norm, grouped convolutions without masks, a cascade; six pictures at once."""
    with kept_graphs():
        for export_format in ("onnx", "openvino"):
            folder = tmp_path / export_format
            request: Any = Request(export_format, "float32", reference.images[:2], "tests")
            export(reference.folder / model, folder, request)
            found = load_runtime(export_format, folder).infer(reference.images)
            reference.assert_stored(found, model)
