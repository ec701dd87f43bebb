"""What lies in a model folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from edge.errors import ModelFileError, ModelMismatchError, UnsupportedModelError
from edge.vision.model_folder import learned_frame_px, read_model_folder
from edge.vision.runtime import BUNDLED_MODEL

Raw = Callable[..., dict[str, object]]


@pytest.fixture
def folder(tmp_path: Path, raw_config: Raw) -> Path:
    """A folder whose weights are never looked into."""
    path = tmp_path / "strip-7"
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump(raw_config()))
    (path / "model.pth").write_bytes(b"weights")
    return path


def test_without_a_description_the_folder_names_the_model(folder: Path) -> None:
    """Name from the folder, classes by number, thresholds from the config."""
    model = read_model_folder(folder)
    assert model.name == "strip-7"
    assert model.class_names == ("class_0", "class_1", "class_2")
    assert model.score_thresholds == (0.05, 0.05, 0.05)


def test_the_version_is_the_hash_of_config_and_weights(folder: Path) -> None:
    """Twelve digits of SHA-256, which change with either file."""
    content = (folder / "config.yaml").read_bytes() + b"weights"
    first = read_model_folder(folder).version
    assert first == hashlib.sha256(content).hexdigest()[:12]
    (folder / "model.pth").write_bytes(b"other weights")
    assert read_model_folder(folder).version != first


def test_the_description_names_classes_and_thresholds(folder: Path) -> None:
    """model.json's thresholds stand in for the config's, class by class."""
    description = {"name": "strip", "classes": ["pit", "scab", "crack"], "score_thresholds": {"crack": 0.7}}
    (folder / "model.json").write_text(json.dumps(description))
    model = read_model_folder(folder)
    assert model.name == "strip"
    assert model.class_names == ("pit", "scab", "crack")
    assert model.score_thresholds == (0.05, 0.05, 0.7)


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({"classes": ["pit"]}, "names 1 classes, but MODEL.ROI_HEADS.NUM_CLASSES is 3"),
        ({"score_thresholds": {"pitt": 0.5}}, "'pitt' is none of the classes class_0, class_1, class_2"),
    ],
)
def test_a_description_of_another_model_is_refused(
    folder: Path, description: dict[str, object], complaint: str
) -> None:
    """Classes that do not fit the config are named."""
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelMismatchError, match=complaint):
        read_model_folder(folder)


@pytest.mark.parametrize("content", ["{", '{"classes": 3}', '{"score_thresholds": {"class_0": 2}}'])
def test_a_broken_description_is_named(folder: Path, content: str) -> None:
    """model.json that is no JSON, or of wrong types, is a file's error."""
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"model\.json"):
        read_model_folder(folder)


@pytest.mark.parametrize(
    ("names", "configured", "chosen"),
    [
        (["model.pth", "model.safetensors"], "model.pth", "model.pth"),
        (["model.pth", "model.safetensors"], "", "model.safetensors"),
        (["model.pth"], "detectron2://ImageNetPretrained/MSRA/R-50.pkl", "model.pth"),
        (["best.pth", "model.pth"], "best.pth", "best.pth"),
        (["model.pth"], "/etc/hostname", "model.pth"),
    ],
)
def test_the_weights_are_those_that_the_config_names_in_the_folder(
    tmp_path: Path, raw_config: Raw, names: list[str], configured: str, chosen: str
) -> None:
    """MODEL.WEIGHTS if it lies in the folder; addresses and foreign paths are passed over."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw_config(**{"MODEL.WEIGHTS": configured})))
    for name in names:
        (tmp_path / name).touch()
    assert read_model_folder(tmp_path).weights_file == tmp_path / chosen


@pytest.mark.parametrize("missing", ["config.yaml", "model.pth"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    """Config or weights that are not there are a file's error."""
    (folder / missing).unlink()
    with pytest.raises(ModelFileError, match=missing):
        read_model_folder(folder)


def test_the_folder_of_a_run_points_to_its_model(folder: Path) -> None:
    """A run has a config, too; its model lies one level below."""
    (folder / "model.pth").unlink()
    (folder / "model").mkdir()
    with pytest.raises(ModelFileError, match=f"the model of this run is {folder / 'model'}"):
        read_model_folder(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """So is the folder itself."""
    with pytest.raises(ModelFileError, match="nowhere: there is no such model folder"):
        read_model_folder(tmp_path / "nowhere")


def test_a_retinanet_tells_its_classes_and_threshold_elsewhere(folder: Path, raw_config: Raw) -> None:
    """Under RETINANET, while ROI_HEADS keeps the defaults of what is not built."""
    changes = {"MODEL.META_ARCHITECTURE": "RetinaNet", "MODEL.RETINANET": {"NUM_CLASSES": 2}}
    (folder / "config.yaml").write_text(yaml.safe_dump(raw_config(**changes)))
    model = read_model_folder(folder)
    assert model.class_names == ("class_0", "class_1")
    assert model.score_thresholds == (0.05, 0.05)
    (folder / "model.json").write_text(json.dumps({"classes": ["pit"]}))
    with pytest.raises(ModelMismatchError, match=r"but MODEL\.RETINANET\.NUM_CLASSES is 2"):
        read_model_folder(folder)


def test_of_other_architectures_the_description_alone_tells(folder: Path, raw_config: Raw) -> None:
    """Their number of classes stands nobody knows where, and they apply thresholds of their own."""
    (folder / "config.yaml").write_text(
        yaml.safe_dump(raw_config(**{"MODEL.META_ARCHITECTURE": "MaskFormer"}))
    )
    assert read_model_folder(folder).class_names == ()
    (folder / "model.json").write_text(json.dumps({"classes": ["pit", "scab"]}))
    model = read_model_folder(folder)
    assert (model.class_names, model.score_thresholds) == (("pit", "scab"), (0.0, 0.0))


def test_a_lazy_config_is_refused_and_not_executed(folder: Path) -> None:
    """Neither the program nor what its own dump would call."""
    (folder / "config.yaml").write_text("model: {_target_: os.system, command: exit}")
    with pytest.raises(UnsupportedModelError, match=r"config\.yaml: model: a LazyConfig"):
        read_model_folder(folder)
    (folder / "config.yaml").unlink()
    (folder / "mask_rcnn_vitdet.py").write_text("raise SystemExit('executed')")
    with pytest.raises(UnsupportedModelError, match=r"mask_rcnn_vitdet\.py: a LazyConfig is a program"):
        read_model_folder(folder)


def test_the_size_of_frames_is_told_or_not(folder: Path) -> None:
    """The bundled model says what it has learned from; Detectron2's own folders say nothing."""
    assert learned_frame_px(BUNDLED_MODEL) == (1600, 256)
    assert learned_frame_px(folder) is None
    (folder / "model.json").write_text(json.dumps({"frame_px": [1600, 0]}))
    with pytest.raises(ModelFileError, match=r"model\.json.*frame_px"):
        learned_frame_px(folder)
