"""The runtime over Detectron2; skipped where Detectron2 is not installed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml

from edge.errors import ModelMismatchError, SettingsError, UnsupportedModelError
from edge.vision import Runtime, load_runtime
from edge.vision.native.runtime import NativeRuntime

# Not through `skip_or_fail`: no package index has Detectron2, so that no machine can promise it.
pytest.importorskip("detectron2", reason="Detectron2 is not installed")
# The library is not written for the newest versions of what it builds on.
pytestmark = pytest.mark.filterwarnings("ignore")

Raw = Callable[..., dict[str, Any]]
Folders = Callable[..., Path]
Frames = Callable[..., npt.NDArray[np.uint8]]

MODELS = ("mask_rcnn_r50_frozenbn", "mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50")
POINT_REND = "detectron2.projects.point_rend:add_pointrend_config"
RETINANET = {
    "MODEL.META_ARCHITECTURE": "RetinaNet",
    "MODEL.MASK_ON": False,
    "MODEL.BACKBONE.NAME": "build_retinanet_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": ["res3", "res4", "res5"],
    "MODEL.FPN.IN_FEATURES": ["res3", "res4", "res5"],
    "MODEL.RETINANET": {"NUM_CLASSES": 3, "NUM_CONVS": 1},
}
POINTS = {
    "MODEL.ROI_MASK_HEAD": {
        "NAME": "PointRendMaskHead",
        "POOLER_TYPE": "",
        "FC_DIM": 16,
        "NUM_FC": 1,
        "POINT_HEAD_ON": True,
    },
    "MODEL.POINT_HEAD": {"FC_DIM": 16, "NUM_FC": 1, "NUM_CLASSES": 3},
}
PROJECT = '''
import torch
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances


def add_strip_config(cfg):
    cfg.MODEL.STRIP = type(cfg)({"CLASS": 0, "ANSWER": "instances"})


@META_ARCH_REGISTRY.register()
class StripNet(torch.nn.Module):
    """Finds the whole frame, by a mask alone."""

    def __init__(self, cfg):
        super().__init__()
        self.strip = cfg.MODEL.STRIP
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs):
        return [{self.strip.ANSWER: self.find(x["height"], x["width"])} for x in inputs]

    def find(self, height, width):
        found = Instances((height, width))
        found.pred_boxes = Boxes(torch.zeros(1, 4))
        found.pred_masks = torch.ones(1, height, width)
        found.scores = torch.ones(1)
        found.pred_classes = torch.tensor([self.strip.CLASS])
        return found
'''


def _load(folder: Path, **settings: Any) -> Runtime:
    return load_runtime("detectron2", folder, device="cpu", **settings)


@pytest.fixture
def foreign_folder(tmp_path: Path, raw_config: Raw) -> Folders:
    """A folder of an architecture that only Detectron2 builds, with its own fresh weights."""

    def build(*imports: str, **changes: Any) -> Path:
        from detectron2.config import get_cfg  # noqa: PLC0415 - not at collection, for its warnings
        from detectron2.modeling import build_model  # noqa: PLC0415

        from edge.vision.with_detectron2.build import _import  # noqa: PLC0415

        cfg = get_cfg()
        for entry in imports:
            _import(entry, cfg)
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(raw_config(**changes)))
        cfg.merge_from_file(str(config), allow_unsafe=False)
        cfg.MODEL.DEVICE = "cpu"
        config.write_text(cfg.dump())
        torch.manual_seed(0)
        torch.save({"model": build_model(cfg).state_dict()}, tmp_path / "model.pth")
        return tmp_path

    return build


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project beyond the library, as an import for the settings."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "strip_project.py").write_text(PROJECT)
    monkeypatch.syspath_prepend(folder)
    return "strip_project:add_strip_config"


@pytest.mark.parametrize("model", MODELS)
def test_the_answers_are_those_of_the_native_runtime(reference: Any, model: str) -> None:
    """And those that Detectron2 once gave: boxes to 0.05 px, scores to 1e-3, masks to 99.9 %."""
    found = _load(reference.folder / model).infer(reference.images)
    reference.assert_stored(found, model)
    native = NativeRuntime(reference.folder / model, device="cpu")
    reference.assert_same(found, native.infer(reference.images))


def test_it_says_what_it_is(model_folder: Folders) -> None:
    """What the inspection record and the metrics tell."""
    folder = model_folder()
    runtime, native = _load(folder), NativeRuntime(folder, device="cpu")
    assert (runtime.name, runtime.device, runtime.precision) == ("detectron2", "cpu", "float32")
    assert (runtime.model_name, runtime.model_version) == (native.model_name, native.model_version)
    assert runtime.class_names == native.class_names
    runtime.warmup()


@pytest.mark.parametrize(
    ("imports", "changes", "masks"),
    [((), RETINANET, False), ((POINT_REND,), POINTS, True)],
    ids=["RetinaNet", "PointRend"],
)
def test_what_the_native_runtime_refuses_is_served(
    foreign_folder: Folders, frame: Frames, imports: tuple[str, ...], changes: dict[str, Any], masks: bool
) -> None:
    """Grey and colour of mixed shapes, in order and each as if alone."""
    folder = foreign_folder(*imports, **changes)
    with pytest.raises(UnsupportedModelError):
        NativeRuntime(folder, device="cpu")
    runtime = _load(folder, imports=imports, score_threshold=0.0)
    images = [frame(64, 96), frame(70, 50, 3, seed=1), frame(64, 96, 3, seed=2), frame(200, 150, seed=3)]
    for image, found in zip(images, runtime.infer(images), strict=True):
        (alone,) = runtime.infer([image])
        assert len(found) == len(alone) > 0
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-4)
        assert (found.boxes <= (*image.shape[1::-1], *image.shape[1::-1])).all()
        assert (found.masks is not None) == masks


def test_thresholds_come_from_the_model_and_give_way_to_the_caller_s(
    foreign_folder: Folders, frame: Frames
) -> None:
    """model.json opens a class, also below the config's threshold; score_threshold opens all of them."""
    folder = foreign_folder(**(RETINANET | {"MODEL.RETINANET.SCORE_THRESH_TEST": 1.0}))
    assert len(_load(folder).infer([frame(64, 96)])[0]) == 0
    (folder / "model.json").write_text(json.dumps({"score_thresholds": {"class_1": 0.0}}))
    assert set(_load(folder).infer([frame(64, 96)])[0].classes) == {1}
    assert len(set(_load(folder, score_threshold=0.0).infer([frame(64, 96)])[0].classes)) > 1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_keeps_float32_answers(model_folder: Folders, frame: Frames, precision: str) -> None:
    """Only the convolutions are coarser."""
    runtime = _load(model_folder(), precision=precision, score_threshold=0.0)
    (found,) = runtime.infer([frame(64, 96)])
    assert len(found) > 0
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_auto_leaves_detectron2_in_float32(model_folder: Folders) -> None:
    """Its operators are cast one by one, which is no gain to measure; what runs is told."""
    assert _load(model_folder(), precision="auto").precision == "float32"


def test_a_project_s_architecture_is_served(foreign_folder: Folders, frame: Frames, project: str) -> None:
    """Registered by its import; model.json names its classes."""
    folder = foreign_folder(project, **{"MODEL.META_ARCHITECTURE": "StripNet"})
    with pytest.raises(ModelMismatchError, match=r"model\.json: must name the classes.* 'StripNet'"):
        _load(folder, imports=[project])
    (folder / "model.json").write_text(json.dumps({"classes": ["pit"]}))
    (found,) = _load(folder, imports=[project]).infer([frame(20, 30)])
    assert found.boxes.tolist() == [[0, 0, 30, 20]]
    assert found.masks is not None
    assert found.masks[0].area_px == 600


def test_a_model_without_instances_is_refused_as_it_warms(foreign_folder: Folders, project: str) -> None:
    """Before the first frame."""
    changes = {"MODEL.META_ARCHITECTURE": "StripNet", "MODEL.STRIP": {"ANSWER": "sem_seg"}}
    folder = foreign_folder(project, **changes)
    (folder / "model.json").write_text(json.dumps({"classes": ["pit"]}))
    with pytest.raises(UnsupportedModelError, match="'StripNet' answers sem_seg, and no instances"):
        _load(folder, imports=[project]).warmup()


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("no_such_project", "imports: 'no_such_project': ModuleNotFoundError: No module named"),
        ("json:add_config", "imports: 'json:add_config': AttributeError"),
        ("json:loads", "imports: 'json:loads': TypeError"),
    ],
)
def test_an_import_that_fails_is_named(model_folder: Folders, entry: str, complaint: str) -> None:
    """A module that is not there, a function that is not there, one that is of another kind."""
    with pytest.raises(SettingsError, match=complaint):
        _load(model_folder(), imports=[entry])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (POINTS, "Non-existent config key: MODEL.POINT_HEAD"),
        ({"MODEL.RPN.HEAD_NAME": "NoHead"}, "Detectron2 cannot build it: No object named 'NoHead'"),
        ({"SOLVER.BASE_LR": [1]}, "Type mismatch"),
        ({"INPUT.FORMAT": "L"}, "INPUT.FORMAT: 'L' is not supported; supported: BGR, RGB"),
    ],
)
def test_what_detectron2_cannot_build_is_refused_by_its_key(
    tmp_path: Path, raw_config: Raw, changes: dict[str, Any], complaint: str
) -> None:
    """With the file's name, as the native runtime does."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw_config(**changes)))
    (tmp_path / "model.pth").touch()
    with pytest.raises(UnsupportedModelError, match=rf"config\.yaml: .*{complaint}"):
        _load(tmp_path)


def test_weights_of_another_model_are_refused_by_key_and_shapes(model_folder: Folders) -> None:
    """A config with one class more than the weights."""
    folder = model_folder()
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("NUM_CLASSES: 3", "NUM_CLASSES: 4"))
    with pytest.raises(ModelMismatchError, match=r"cls_score\.weight is \(4, 32\) in the weights"):
        _load(folder)
