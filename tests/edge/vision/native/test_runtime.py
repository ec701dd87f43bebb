"""The native runtime as the pipeline sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from structlog.testing import capture_logs

from edge.errors import (
    InferenceError,
    ModelFileError,
    ModelMismatchError,
    SettingsError,
    UnsupportedModelError,
)
from edge.vision.detections import Detections
from edge.vision.native.runtime import NativeRuntime

Folders = Callable[..., Path]
Frames = Callable[..., npt.NDArray[np.uint8]]


def _assert_equal(first: Detections, second: Detections) -> None:
    np.testing.assert_allclose(first.boxes, second.boxes, atol=0.01)
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-4)
    np.testing.assert_array_equal(first.classes, second.classes)


def test_it_says_what_it_is(model_folder: Folders) -> None:
    """What the inspection record and the metrics tell."""
    runtime = NativeRuntime(model_folder(), device="cpu")
    assert (runtime.name, runtime.device, runtime.precision) == ("native", "cpu", "float32")
    assert runtime.model_name == "tiny"
    assert len(runtime.model_version) == 12
    assert runtime.class_names == ("class_0", "class_1", "class_2")
    runtime.warmup()


def test_a_mix_of_shapes_is_answered_in_order_and_as_if_alone(model_folder: Folders, frame: Frames) -> None:
    """Grey and colour, large and small, interleaved: each entry is that of its own image alone."""
    runtime = NativeRuntime(model_folder(), device="cpu", score_threshold=0.0)
    images = [
        frame(64, 96, 3),
        frame(64, 128, seed=1),
        frame(64, 96, seed=2),
        frame(70, 50, 3, seed=3),
        frame(60, 90, seed=4),
    ]
    together = runtime.infer(images)
    assert len(together) == len(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = runtime.infer([image])
        assert len(found) > 0
        _assert_equal(found, alone)
        assert found.masks is not None
        assert len(found.masks) == len(found)


def test_a_grey_frame_is_a_colour_frame_of_equal_channels(model_folder: Folders, frame: Frames) -> None:
    """Both are answered alike."""
    runtime = NativeRuntime(model_folder(), device="cpu", score_threshold=0.0)
    grey = frame(64, 96)
    first, second = runtime.infer([grey, np.repeat(grey[:, :, None], 3, axis=2)])
    _assert_equal(first, second)


def test_no_images_give_no_answers(model_folder: Folders) -> None:
    """An empty call is answered."""
    assert NativeRuntime(model_folder(), device="cpu").infer([]) == []


def test_boxes_lie_in_the_original_picture(model_folder: Folders, frame: Frames) -> None:
    """Although the model saw it at another size."""
    runtime = NativeRuntime(model_folder(), device="cpu", score_threshold=0.0)
    (found,) = runtime.infer([frame(200, 300)])
    assert (found.boxes >= 0).all()
    assert (found.boxes <= (300, 200, 300, 200)).all()
    assert found.boxes[:, 2].max() > 128


def test_thresholds_come_from_the_model_and_give_way_to_the_caller_s(
    model_folder: Folders, frame: Frames
) -> None:
    """model.json silences a class; score_threshold silences or opens all."""
    folder = model_folder()
    (folder / "model.json").write_text(json.dumps({"score_thresholds": {"class_0": 1.0, "class_2": 1.0}}))
    image = frame(64, 96)
    assert set(NativeRuntime(folder, device="cpu").infer([image])[0].classes) == {1}
    assert len(NativeRuntime(folder, device="cpu", score_threshold=1.0).infer([image])[0]) == 0
    opened = NativeRuntime(folder, device="cpu", score_threshold=0.0).infer([image])[0]
    assert set(opened.classes) == {0, 1, 2}


def test_a_model_without_masks_answers_none(model_folder: Folders, frame: Frames) -> None:
    """Faster R-CNN."""
    (found,) = NativeRuntime(model_folder(**{"MODEL.MASK_ON": False}), device="cpu").infer([frame(64, 64)])
    assert found.masks is None


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_keeps_float32_answers(model_folder: Folders, frame: Frames, precision: str) -> None:
    """Only backbone and heads are coarser."""
    runtime = NativeRuntime(model_folder(), device="cpu", precision=precision, score_threshold=0.0)
    assert runtime.precision == precision
    (found,) = runtime.infer([frame(64, 96)])
    assert len(found) > 0
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_the_precision_that_was_chosen_is_told(model_folder: Folders, frame: Frames) -> None:
    """Records and metrics say what ran, not that it was for the runtime to choose."""
    runtime = NativeRuntime(model_folder(), device="cpu", precision="auto", score_threshold=0.0)
    assert runtime.precision.startswith(("float32", "bfloat16"))
    (found,) = runtime.infer([frame(64, 96)])
    assert len(found) > 0


def test_shrinking_is_warned_of_once_for_each_shape(model_folder: Folders, frame: Frames) -> None:
    """A camera whose frames the model sees smaller is worth one line, not one for each frame."""
    runtime = NativeRuntime(model_folder(), device="cpu")
    with capture_logs() as logs:
        runtime.infer([frame(100, 100)] * 2)
        runtime.infer([frame(100, 100), frame(64, 64), frame(30, 30), frame(64, 300)])
    assert [(entry["frame_px"], entry["seen_px"]) for entry in logs] == [
        ("100x100", "64x64"),
        ("300x64", "128x27"),
    ]
    assert {entry["log_level"] for entry in logs} == {"warning"}


@pytest.mark.parametrize("shape", [(8, 8, 4), (8,), (0, 8)])
def test_what_is_no_image_is_refused(model_folder: Folders, shape: tuple[int, ...]) -> None:
    """The shape is named."""
    with pytest.raises(InferenceError, match="neither"):
        NativeRuntime(model_folder(), device="cpu").infer([np.zeros(shape, np.uint8)])


def test_threads_are_set(model_folder: Folders) -> None:
    """The operator decides how many cores the model takes."""
    before = torch.get_num_threads()
    NativeRuntime(model_folder(), device="cpu", threads=before)
    assert torch.get_num_threads() == before


def test_weights_of_another_model_are_refused_by_key_and_shapes(model_folder: Folders) -> None:
    """A config with one class more than the weights."""
    folder = model_folder()
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("NUM_CLASSES: 3", "NUM_CLASSES: 4"))
    with pytest.raises(
        ModelMismatchError, match=r"cls_score\.weight is \(4, 32\) in the weights, \(5, 32\) by"
    ):
        NativeRuntime(folder, device="cpu")


def test_an_unsupported_config_is_refused_with_file_and_key(model_folder: Folders) -> None:
    """Before the weights are looked at."""
    folder = model_folder()
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("GeneralizedRCNN", "RetinaNet"))
    with pytest.raises(
        UnsupportedModelError, match=r"tiny/config\.yaml: MODEL\.META_ARCHITECTURE: 'RetinaNet'"
    ):
        NativeRuntime(folder, device="cpu")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    """The folder that is not there."""
    with pytest.raises(ModelFileError, match="there is no such model folder"):
        NativeRuntime(tmp_path / "model")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"device": "abacus"}, "device: 'abacus' cannot be used here"),
        ({"device": "cuda:99"}, "device: 'cuda:99' cannot be used here"),
        ({"device": "meta"}, "device: 'meta' cannot be used here"),
        ({"precision": "int3"}, "precision: 'int3' is unknown; allowed: auto, float32, bfloat16, float16"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_loaded(
    tmp_path: Path, setting: dict[str, str], complaint: str
) -> None:
    """Device and precision."""
    with pytest.raises(SettingsError, match=complaint):
        NativeRuntime(tmp_path, **setting)  # type: ignore[arg-type] # strings for string arguments
