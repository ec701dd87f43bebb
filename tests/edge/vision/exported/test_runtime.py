"""The runtimes over exports of the bundled model, as the pipeline sees them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from edge.errors import InferenceError, ModelError, ModelFileError, ModelMismatchError, SettingsError
from edge.vision import BUNDLED_MODEL, Detections, load_runtime
from edge.vision.exported.record import EXPORT_FILE, digest, read_record
from tests.support.exports import Exports, drawn_frames

pytestmark = pytest.mark.timeout(600)  # the first that asks for an export waits for torch's exporter

Frames = Callable[..., npt.NDArray[np.uint8]]
KINDS = [("onnx", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"), ("openvino", "int8")]


def _copy(exports: Exports, place: Path, *, of: str = "onnx") -> Path:
    return shutil.copytree(exports(of, "float32"), place / "copy")


def _assert_equal(first: Detections, second: Detections, atol_px: float, atol: float) -> None:
    np.testing.assert_array_equal(first.classes, second.classes)
    np.testing.assert_allclose(first.boxes, second.boxes, rtol=0, atol=atol_px)
    np.testing.assert_allclose(first.scores, second.scores, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_float32_answers_as_the_native_runtime_does(exports: Exports, name: str) -> None:
    """Same detections in the same order, boxes within 0.01 px, scores within 1e-4, nearly all mask pixels."""
    native = load_runtime("native", device="cpu", score_threshold=0.1)
    runtime = load_runtime(name, exports(name, "float32"), score_threshold=0.1)
    frames = drawn_frames()
    for found, expected in zip(runtime.infer(frames), native.infer(frames), strict=True):
        assert len(found) > 0
        _assert_equal(found, expected, atol_px=0.01, atol=1e-4)
        assert found.masks is not None
        assert expected.masks is not None
        for mask, other in zip(found.masks, expected.masks, strict=True):
            assert (mask.decode() == other.decode()).mean() >= 0.999


@pytest.mark.parametrize(("name", "precision"), KINDS)
def test_a_mix_of_shapes_is_answered_in_order_and_as_if_alone(
    exports: Exports, frame: Frames, name: str, precision: str
) -> None:
    """Grey and colour, clean and not: each entry is that of its own image alone, masks for all."""
    runtime = load_runtime(name, exports(name, precision), score_threshold=0.3)
    runtime.warmup()
    drawn = drawn_frames()
    images = [drawn[0], frame(64, 96, 3), drawn[1], np.zeros((256, 800), np.uint8), drawn[2]]
    together = runtime.infer(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = runtime.infer([image])
        _assert_equal(found, alone, atol_px=0.5, atol=0.01)
        assert found.masks is not None
        assert len(found.masks) == len(found)
    assert any(together)
    assert runtime.infer([]) == []


@pytest.mark.parametrize(("name", "precision"), KINDS)
def test_it_says_what_it_is(exports: Exports, name: str, precision: str) -> None:
    """What the inspection record and the metrics tell; the precision is the export's."""
    runtime = load_runtime(name, exports(name, precision), threads=1)
    assert (runtime.name, runtime.device, runtime.precision) == (name, "cpu", precision)
    assert runtime.model_name == "severstal-lite0-v2"
    assert runtime.class_names == ("defect_1", "defect_2", "defect_3", "defect_4")
    assert runtime.device_use() is None
    assert load_runtime(name, exports(name, precision), precision=precision).precision == precision
    runtime.close()


def test_what_is_no_image_is_refused(exports: Exports) -> None:
    """As by every runtime."""
    runtime = load_runtime("onnx", exports("onnx", "float32"))
    with pytest.raises(InferenceError, match="neither"):
        runtime.infer([np.zeros((8, 8, 2), np.uint8)])


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_another_precision_than_that_of_the_export_is_refused(exports: Exports, name: str) -> None:
    """It was not verified in it."""
    with pytest.raises(SettingsError, match=r"'float16' is not that of the export .* verified in float32"):
        load_runtime(name, exports(name, "float32"), precision="float16")


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("onnx", "cuda:1", "'cuda:1' needs CUDAExecutionProvider, which the installed .* does not have"),
        ("onnx", "openvino", "'openvino' needs OpenVINOExecutionProvider, which the installed"),
        ("onnx", "tpu", "'tpu' is unknown to the runtime 'onnx'; allowed: auto, cpu, cuda, openvino"),
        ("onnx", "cpu:1", "'cpu:1' is unknown to the runtime 'onnx'"),
        ("openvino", "cuda", "'cuda' is unknown to OpenVINO on this machine; it has CPU"),
    ],
)
def test_a_device_that_is_not_there_is_named_with_those_that_are(
    exports: Exports, name: str, device: str, message: str
) -> None:
    """None is taken silently instead."""
    with pytest.raises(SettingsError, match=message):
        load_runtime(name, exports(name, "float32"), device=device)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_folder_of_weights_is_no_export(name: str) -> None:
    """The message says what makes one of it."""
    with pytest.raises(
        ModelFileError, match=r"holds no export\.json: it is no exported model; `stripsight exp"
    ):
        load_runtime(name, BUNDLED_MODEL)


def test_an_export_has_no_weights_for_the_native_runtime(exports: Exports) -> None:
    """The message says which runtime has use for it."""
    with pytest.raises(ModelFileError, match=r'its graphs: model\.runtime = "openvino" runs it'):
        load_runtime("native", exports("openvino", "float32"), device="cpu")


def test_an_export_for_another_library_is_refused(exports: Exports) -> None:
    """The message names the runtime that it is for."""
    with pytest.raises(ModelMismatchError, match=r'for OpenVINO: model\.runtime = "openvino" runs it, not "'):
        load_runtime("onnx", exports("openvino", "float32"))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("onnx", "trunk.onnx"),
        ("openvino", "trunk.bin"),
        ("openvino", "mask_head.xml"),
        ("onnx", "config.yaml"),
    ],
)
def test_a_file_that_was_not_verified_is_refused(
    exports: Exports, tmp_path: Path, name: str, file: str
) -> None:
    """One byte more, and it is another file."""
    folder = _copy(exports, tmp_path, of=name)
    (folder / file).write_bytes((folder / file).read_bytes() + b"\n")
    with pytest.raises(ModelFileError, match=rf"{file}: is not the file that was verified"):
        load_runtime(name, folder)


def test_a_missing_file_is_named(exports: Exports, tmp_path: Path) -> None:
    """A copy that was cut short, perhaps."""
    folder = _copy(exports, tmp_path)
    (folder / "mask_head.onnx").unlink()
    with pytest.raises(ModelFileError, match=r"mask_head\.onnx: cannot be read: No such file"):
        load_runtime("onnx", folder)


@pytest.mark.parametrize(("name", "file"), [("onnx", "trunk.onnx"), ("openvino", "trunk.xml")])
def test_what_the_library_cannot_read_is_named(
    exports: Exports, tmp_path: Path, name: str, file: str
) -> None:
    """Although the record vouches for it."""
    folder = _copy(exports, tmp_path, of=name)
    _exchange(folder, file, b"rubbish")
    with pytest.raises(ModelFileError, match=rf"{file}: .* cannot load it: "):
        load_runtime(name, folder)


def test_a_graph_of_another_part_does_not_fit(exports: Exports, tmp_path: Path) -> None:
    """What it answers is not what the config asks for."""
    folder = _copy(exports, tmp_path)
    _exchange(folder, "trunk.onnx", (folder / "box_head.onnx").read_bytes())
    with pytest.raises(ModelMismatchError, match="trunk answers hidden; by the config it is features_p2, "):
        load_runtime("onnx", folder)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": "tensorrt"}'])
def test_a_record_that_is_none_is_refused(exports: Exports, tmp_path: Path, content: bytes) -> None:
    """The file is named."""
    folder = _copy(exports, tmp_path)
    (folder / EXPORT_FILE).write_bytes(content)
    with pytest.raises(ModelFileError, match=r"export\.json: "):
        load_runtime("onnx", folder)


def test_thresholds_may_be_tuned_after_the_export(exports: Exports, tmp_path: Path) -> None:
    """They are no part of what was verified."""
    folder = _copy(exports, tmp_path)
    description = json.loads((folder / "model.json").read_bytes())
    description["score_thresholds"] = dict.fromkeys(description["classes"], 0.1)
    (folder / "model.json").write_text(json.dumps(description))
    image = drawn_frames()[0]
    (cautious,) = load_runtime("onnx", exports("onnx", "float32")).infer([image])
    (eager,) = load_runtime("onnx", folder).infer([image])
    assert len(eager) > len(cautious)


@pytest.mark.parametrize(
    ("name", "module", "library"),
    [("onnx", "onnxruntime", "ONNX Runtime"), ("openvino", "openvino", "OpenVINO")],
)
def test_without_its_library_a_runtime_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, module: str, library: str
) -> None:
    """The extra is named, before anything else is looked at."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ModelError, match=rf"needs {library}, which is not .* pip install 'stripsight\[{name}\]'"
    ):
        load_runtime(name, tmp_path)


@pytest.mark.parametrize("module", ["edge.vision.exported.with_openvino", "edge.vision.export.to_openvino"])
def test_openvino_tells_nobody_about_its_use(module: str) -> None:
    """Of itself it reports to Google Analytics when it is imported; the reporter is never loaded."""
    code = (
        f"import sys, {module}; "
        "sys.exit(any(name.startswith('openvino_telemetry.') for name in sys.modules) "
        "or sys.modules['openvino_telemetry'] is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _exchange(folder: Path, file: str, content: bytes) -> None:
    """Put another file into an export, and let the record vouch for it."""
    (folder / file).write_bytes(content)
    record: Any = read_record(folder)
    record = msgspec.structs.replace(record, files=record.files | {file: digest(content)})
    (folder / EXPORT_FILE).write_bytes(msgspec.json.encode(record))


def test_an_export_that_was_never_compared_is_refused(exports: Exports, tmp_path: Path) -> None:
    """As one is that was cut off while it was made."""
    folder = _copy(exports, tmp_path)
    record = json.loads((folder / EXPORT_FILE).read_text())
    (folder / EXPORT_FILE).write_text(json.dumps(record | {"verification": None}))
    with pytest.raises(ModelMismatchError, match="never compared"):
        load_runtime("onnx", folder)
