"""Reading Detectron2's config.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.errors import ModelError, ModelFileError, UnsupportedModelError
from edge.vision.native.config import Config, parse_config, read_config
from edge.vision.native.support import check_supported

Raw = Callable[..., dict[str, Any]]


def test_missing_keys_take_detectron2_s_defaults() -> None:
    """An empty config is Detectron2's default one."""
    config = parse_config({})
    assert (config.input.min_size_test, config.input.max_size_test) == (800, 1333)
    assert config.model.roi_heads.num_classes == 80
    assert config.model.rpn.pre_nms_topk_test == 6000
    assert config.model.roi_box_head.bbox_reg_weights == (10.0, 10.0, 5.0, 5.0)
    assert config.model.resnets.stride_in_1x1
    assert config.test.detections_per_image == 100


def test_strings_that_hold_tuples_are_decoded(tmp_path: Path) -> None:
    """YAML has no tuples; yacs evaluates such strings as Python literals, and so does this reader."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "MODEL:\n"
        "  ROI_BOX_HEAD:\n"
        "    BBOX_REG_WEIGHTS: (1.0, 2.0, 3, 4)\n"
        "  FPN:\n"
        "    NORM: ''\n"
        "    FUSE_TYPE: avg\n"
    )
    model = read_config(file).model
    assert model.roi_box_head.bbox_reg_weights == (1.0, 2.0, 3.0, 4.0)
    assert (model.fpn.norm, model.fpn.fuse_type) == ("", "avg")


def test_keys_of_other_parts_are_passed_over() -> None:
    """A complete dump of Detectron2's config holds the solver and other architectures as well."""
    assert parse_config({"SOLVER": {"BASE_LR": 1}, "MODEL": {"SEM_SEG_HEAD": {"NUM_CLASSES": 1}}}) == Config()


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"MODEL": {"RPN": {"NMS_THRESH": "high"}}}, "MODEL.RPN.NMS_THRESH"),
        ({"MODEL": {"ROI_HEADS": {"NUM_CLASSES": 0}}}, "MODEL.ROI_HEADS.NUM_CLASSES"),
        ({"MODEL": {"PIXEL_STD": [1.0, 0.0, 1.0]}}, "MODEL.PIXEL_STD"),
        ({"MODEL": [1]}, "MODEL"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(raw: dict[str, Any], complaint: str) -> None:
    """Wrong types and impossible numbers name their key."""
    with pytest.raises(ModelFileError, match=complaint):
        parse_config(raw)


@pytest.mark.parametrize(
    "content", ["MODEL: [", "just text", "", "MODEL: !!python/object/apply:os.getcwd []", "\x00"]
)
def test_what_is_no_plain_yaml_mapping_is_refused(tmp_path: Path, content: str) -> None:
    """Broken YAML, and YAML that wants to run Python, name the file."""
    file = tmp_path / "config.yaml"
    file.write_text(content)
    with pytest.raises(ModelFileError, match=r"config\.yaml"):
        read_config(file)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    """The file that is not there is named."""
    with pytest.raises(ModelFileError, match=r"config\.yaml: cannot be read: No such file"):
        read_config(tmp_path / "config.yaml")


def test_a_config_that_builds_on_another_is_refused(tmp_path: Path) -> None:
    """_BASE_ would make the model depend on files outside its folder."""
    file = tmp_path / "config.yaml"
    file.write_text("_BASE_: ../Base-RCNN-FPN.yaml")
    with pytest.raises(UnsupportedModelError, match=r"_BASE_: \.\./Base-RCNN-FPN.yaml"):
        read_config(file)


def test_a_config_of_the_old_format_is_refused() -> None:
    """Version 1 had other key names."""
    with pytest.raises(UnsupportedModelError, match="VERSION: 1 is not supported"):
        parse_config({"VERSION": 1})


def test_the_tiny_config_is_supported(raw_config: Raw) -> None:
    """What the tests are built on passes."""
    check_supported(parse_config(raw_config()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("INPUT.FORMAT", "YUV"),
        ("MODEL.META_ARCHITECTURE", "RetinaNet"),
        ("MODEL.KEYPOINT_ON", True),
        ("MODEL.LOAD_PROPOSALS", True),
        ("MODEL.BACKBONE.NAME", "build_resnet_backbone"),
        ("MODEL.PROPOSAL_GENERATOR.NAME", "RRPN"),
        ("MODEL.RPN.HEAD_NAME", "MyHead"),
        ("MODEL.RPN.IN_FEATURES", ["p2", "p7"]),
        ("MODEL.ANCHOR_GENERATOR.NAME", "RotatedAnchorGenerator"),
        ("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16]]),
        ("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128, 256]]),
        ("MODEL.PIXEL_MEAN", [110.0]),
        ("MODEL.RESNETS.DEPTH", 20),
        ("MODEL.RESNETS.DEPTH", 18),
        ("MODEL.RESNETS.NORM", "LN"),
        ("MODEL.RESNETS.NORM", "GN"),
        ("MODEL.RESNETS.RES5_DILATION", 2),
        ("MODEL.RESNETS.DEFORM_ON_PER_STAGE", [False, False, True, True]),
        ("MODEL.RESNETS.OUT_FEATURES", ["res4"]),
        ("MODEL.FPN.IN_FEATURES", ["res2", "res3"]),
        ("MODEL.FPN.FUSE_TYPE", "max"),
        ("MODEL.ROI_HEADS.NAME", "PointRendROIHeads"),
        ("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
        ("MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p4"]),
        ("MODEL.ROI_BOX_HEAD.NAME", "MyBoxHead"),
        ("MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIPool"),
        ("MODEL.ROI_BOX_HEAD.USE_FED_LOSS", True),
        ("MODEL.ROI_MASK_HEAD.NAME", "PointRendMaskHead"),
        ("MODEL.ROI_MASK_HEAD.NORM", "GN"),
    ],
)
def test_what_is_not_implemented_is_refused_by_its_key(raw_config: Raw, key: str, value: Any) -> None:
    """The message names a key, the value found, and what is supported."""
    with pytest.raises(UnsupportedModelError, match=r"is not supported; supported: .+") as refusal:
        check_supported(parse_config(raw_config(**{key: value})))
    assert "MODEL." in str(refusal.value) or key in str(refusal.value)


def test_a_refusal_reads_like_the_config(raw_config: Raw) -> None:
    """Key, value and choices stand as they would in YAML."""
    with pytest.raises(UnsupportedModelError) as refusal:
        check_supported(parse_config(raw_config(**{"MODEL.META_ARCHITECTURE": "RetinaNet"})))
    assert str(refusal.value) == (
        "config: MODEL.META_ARCHITECTURE: 'RetinaNet' is not supported; supported: 'GeneralizedRCNN'"
    )


def test_mask_settings_do_not_matter_without_masks(raw_config: Raw) -> None:
    """Faster R-CNN's config may hold anything under ROI_MASK_HEAD."""
    raw = raw_config(**{"MODEL.MASK_ON": False, "MODEL.ROI_MASK_HEAD.NAME": "PointRendMaskHead"})
    check_supported(parse_config(raw))


def test_a_real_dump_is_read(shared_data: Path) -> None:
    """The four configs that Detectron2 itself wrote are read and supported."""
    for file in sorted((shared_data / "detectron2-reference").glob("*/config.yaml")):
        config = read_config(file)
        check_supported(config)
        dumped = yaml.safe_load(file.read_text())
        assert config.model.roi_box_head.norm == dumped["MODEL"]["ROI_BOX_HEAD"]["NORM"]


def test_every_refusal_is_a_model_error() -> None:
    """One except clause of the daemon catches them all."""
    assert issubclass(UnsupportedModelError, ModelError)
    assert issubclass(ModelFileError, ModelError)
