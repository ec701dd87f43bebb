"""Exports of the bundled model, by the real ONNX Runtime and OpenVINO."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge.errors import ExportRefusedError, OutputError, SettingsError
from edge.vision.export import write
from edge.vision.export.verify import TOLERANCES
from edge.vision.export.write import Request, check_options, export
from edge.vision.exported.record import read_record
from edge.vision.model_folder import read_model_folder
from edge.vision.runtime import BUNDLED_MODEL
from tests.support.exports import FRAMES, Exports, drawn_frames

pytestmark = pytest.mark.timeout(600)  # torch's exporter takes a quarter of a minute of an idle core

KINDS = [("onnx", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"), ("openvino", "int8")]


@pytest.mark.parametrize(("export_format", "precision"), KINDS)
def test_an_export_is_a_model_folder_that_tells_how_it_was_verified(
    exports: Exports, export_format: str, precision: str
) -> None:
    """Name, classes, thresholds and card are the source's; graphs and detections were compared."""
    folder = exports(export_format, precision)
    source, exported = read_model_folder(BUNDLED_MODEL), read_model_folder(folder)
    assert (exported.name, exported.class_names) == (source.name, source.class_names)
    assert exported.score_thresholds == source.score_thresholds
    assert exported.version != source.version
    assert (folder / "README.md").read_bytes() == (BUNDLED_MODEL / "README.md").read_bytes()
    record = read_record(folder)
    assert (record.format, record.precision) == (export_format, precision)
    assert (record.source.name, record.source.version) == (source.name, source.version)
    assert record.calibration_frames == (FRAMES if precision == "int8" else 0)
    verified = record.verification
    assert verified is not None
    assert (verified.frames, verified.frames_from) == (FRAMES, "tests")
    assert verified.detections > 0
    assert verified.agreement >= verified.tolerances.agreement
    assert len(verified.errors) == 16
    assert 0 < max(verified.errors.values()) <= verified.tolerances.error
    assert verified.tolerances == TOLERANCES[precision]


def test_what_rounds_more_differs_more(exports: Exports) -> None:
    """So the figures are those of the graphs that were written, not of the network that they came from."""

    def worst(precision: str) -> float:
        verified = read_record(exports("openvino", precision)).verification
        assert verified is not None
        return verified.errors["trunk.features_p2"]

    assert worst("float32") < 1e-5 < worst("bfloat16") < worst("int8")


@pytest.mark.parametrize("export_format", ["onnx", "openvino"])
def test_a_graph_with_wrong_answers_is_not_written(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export_format: Any
) -> None:
    """One bias of the mask head a little off: the output is named, and nothing is left behind."""
    del exports  # keeps the graphs
    right = write.to_onnx

    def wrong(part: Any, *arguments: Any) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(right(part, *arguments))
        if part.name == "mask_head":
            bias = next(value for value in model.graph.initializer if list(value.dims) == [4])
            shifted = numpy_helper.to_array(bias) + np.float32(0.01)
            bias.CopyFrom(numpy_helper.from_array(shifted, bias.name))
        return model

    monkeypatch.setattr(write, "to_onnx", wrong)
    with pytest.raises(ExportRefusedError, match=r"not written: mask_head\.mask_logits differs by 0\.0") as e:
        export(
            BUNDLED_MODEL, tmp_path / "out", Request(export_format, "float32", drawn_frames()[:1], "tests")
        )
    assert "trunk" not in str(e.value)
    assert not list(tmp_path.iterdir())


def test_detections_that_differ_are_told(exports: Exports, tmp_path: Path) -> None:
    """The graphs are within their tolerance, but what is found is not what it must be."""
    del exports
    strict = write.Tolerances(error=1.0, iou=0.999999, score=1e-9, agreement=1.0)
    request = Request("openvino", "bfloat16", drawn_frames(), "tests", tolerances=strict)
    with pytest.raises(ExportRefusedError, match=r"detections on 3 frames .*% are the same, where 100\.0%"):
        export(BUNDLED_MODEL, tmp_path / "out", request)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_behind(
    exports: Exports, tmp_path: Path, no_room: Callable[[], AbstractContextManager[None]]
) -> None:
    """The folder is written whole or not at all."""
    del exports
    with no_room(), pytest.raises(OSError, match="File too large"):
        export(BUNDLED_MODEL, tmp_path / "out", Request("onnx", "float32", drawn_frames()[:1], "tests"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """It may be the model that the daemon serves."""
    with pytest.raises(OutputError, match=r"is there already; an export is written into a new folder"):
        export(BUNDLED_MODEL, tmp_path, Request("onnx", "float32", drawn_frames()[:1], "tests"))


def test_names_of_a_model_without_a_description_are_written(tmp_path: Path) -> None:
    """The folder's name is the model's, wherever the export lies."""
    (tmp_path / "config.yaml").write_bytes((BUNDLED_MODEL / "config.yaml").read_bytes())
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "out").mkdir()
    write._copy_rest(read_model_folder(tmp_path), tmp_path / "out")
    written = json.loads((tmp_path / "out" / "model.json").read_bytes())
    assert written == {"name": tmp_path.name, "classes": ["class_0", "class_1", "class_2", "class_3"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("onnx", "bfloat16", False),
            "--precision bfloat16 is not offered for --format onnx, which has float32",
        ),
        (("onnx", "int8", True), "--precision int8 is not offered for --format onnx, which has float32"),
        (("openvino", "int8", False), "--precision int8 and --calibrate belong together"),
        (("openvino", "float32", True), "--precision int8 and --calibrate belong together"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: Any, message: str) -> None:
    """Before the model is read."""
    export_format, precision, calibrated = options
    with pytest.raises(SettingsError, match=message):
        check_options(export_format, precision, calibrated=calibrated)
