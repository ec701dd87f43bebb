"""Detectron2's ``config.yaml``: the keys that the native model and its training read, and their defaults.

The tree is Detectron2's own, in lower case: ``MODEL.RPN.NMS_THRESH`` is ``config.model.rpn.nms_thresh``. Keys
that are not read here (other architectures, the solver) may be present and are passed over.
"""

import ast
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from edge.errors import ModelFileError, UnsupportedModelError

Count = Annotated[int, msgspec.Meta(ge=1)]
CountOrNone = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
BoxWeights = tuple[Positive, Positive, Positive, Positive]


class _Node(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """A section of the config; its fields are Detectron2's keys in lower case."""


class Input(_Node, frozen=True):
    """How frames become the model's input; sizes in px of the resized frame."""

    format: str = "BGR"
    min_size_test: CountOrNone = 800
    max_size_test: Count = 1333


class Backbone(_Node, frozen=True):
    """Which network makes the features, and how many of its first stages stay as they are in training."""

    name: str = "build_resnet_backbone"
    freeze_at: int = 2


class ResNets(_Node, frozen=True):
    """The residual network: depth, widths, and where it strides and dilates."""

    depth: int = 50
    out_features: tuple[str, ...] = ("res4",)
    num_groups: Count = 1
    norm: str = "FrozenBN"
    width_per_group: Count = 64
    stride_in_1x1: bool = msgspec.field(name="STRIDE_IN_1X1", default=True)
    res5_dilation: int = 1
    res2_out_channels: Count = 256
    stem_out_channels: Count = 64
    deform_on_per_stage: tuple[bool, ...] = (False, False, False, False)


class EfficientNetLite(_Node, frozen=True):
    """The backbone of ``build_efficientnet_lite_fpn_backbone``, a section that Detectron2 does not have."""

    variant: str = "lite0"
    norm: str = "FrozenBN"


class Fpn(_Node, frozen=True):
    """The feature pyramid over the backbone's stages."""

    in_features: tuple[str, ...] = ()
    out_channels: Count = 256
    norm: str = ""
    fuse_type: str = "sum"


class ProposalGenerator(_Node, frozen=True):
    """Where proposals come from; ``min_size`` in px of the resized frame."""

    name: str = "RPN"
    min_size: float = 0


class AnchorGenerator(_Node, frozen=True):
    """Sizes are roots of areas, px; ratios are height / width; a row for each level, or one for all."""

    name: str = "DefaultAnchorGenerator"
    sizes: tuple[tuple[Positive, ...], ...] = ((32, 64, 128, 256, 512),)
    aspect_ratios: tuple[tuple[Positive, ...], ...] = ((0.5, 1.0, 2.0),)
    offset: float = 0.0


class Rpn(_Node, frozen=True):
    """The region proposal network: matching of anchors, sampling, losses, and how many proposals it keeps."""

    head_name: str = "StandardRPNHead"
    in_features: tuple[str, ...] = ("res4",)
    conv_dims: tuple[int, ...] = (-1,)
    bbox_reg_weights: BoxWeights = (1.0, 1.0, 1.0, 1.0)
    nms_thresh: Fraction = 0.7
    pre_nms_topk_train: Count = 12000
    pre_nms_topk_test: Count = 6000
    post_nms_topk_train: Count = 2000
    post_nms_topk_test: Count = 1000
    boundary_thresh: int = -1
    iou_thresholds: tuple[float, ...] = (0.3, 0.7)
    iou_labels: tuple[int, ...] = (0, -1, 1)
    batch_size_per_image: int = 256
    positive_fraction: float = 0.5
    loss_weight: float = 1.0
    bbox_reg_loss_type: str = "smooth_l1"
    bbox_reg_loss_weight: float = 1.0
    smooth_l1_beta: float = 0.0


class RoiHeads(_Node, frozen=True):
    """What is made of proposals: classes, matching and sampling, and the thresholds of scores and NMS."""

    name: str = "Res5ROIHeads"
    num_classes: Count = 80
    in_features: tuple[str, ...] = ("res4",)
    score_thresh_test: Fraction = 0.05
    nms_thresh_test: Fraction = 0.5
    iou_thresholds: tuple[float, ...] = (0.5,)
    iou_labels: tuple[int, ...] = (0, 1)
    batch_size_per_image: int = 512
    positive_fraction: float = 0.25
    proposal_append_gt: bool = True


class RoiBoxHead(_Node, frozen=True):
    """The head that classifies a proposal and refines its box; ``pooler_resolution`` in cells a side."""

    name: str = ""
    bbox_reg_weights: BoxWeights = (10.0, 10.0, 5.0, 5.0)
    pooler_resolution: Count = 14
    pooler_sampling_ratio: CountOrNone = 0
    pooler_type: str = "ROIAlignV2"
    num_fc: CountOrNone = 0
    fc_dim: Count = 1024
    num_conv: CountOrNone = 0
    conv_dim: Count = 256
    norm: str = ""
    cls_agnostic_bbox_reg: bool = False
    use_sigmoid_ce: bool = False
    use_fed_loss: bool = False
    train_on_pred_boxes: bool = False
    bbox_reg_loss_type: str = "smooth_l1"
    bbox_reg_loss_weight: float = 1.0
    smooth_l1_beta: float = 0.0


class RoiBoxCascadeHead(_Node, frozen=True):
    """A cascade's stages: box weights, and the IoU from which a proposal is a positive, of each."""

    bbox_reg_weights: tuple[BoxWeights, ...] = (
        (10.0, 10.0, 5.0, 5.0),
        (20.0, 20.0, 10.0, 10.0),
        (30.0, 30.0, 15.0, 15.0),
    )
    ious: tuple[float, ...] = (0.5, 0.6, 0.7)


class RoiMaskHead(_Node, frozen=True):
    """The head that draws a mask; ``pooler_resolution`` in cells a side, half of the mask's."""

    name: str = "MaskRCNNConvUpsampleHead"
    pooler_resolution: Count = 14
    pooler_sampling_ratio: CountOrNone = 0
    pooler_type: str = "ROIAlignV2"
    num_conv: CountOrNone = 0
    conv_dim: Count = 256
    norm: str = ""
    cls_agnostic_mask: bool = False


class RetinaNet(_Node, frozen=True):
    """What any runtime must know of it; only Detectron2 itself builds it."""

    num_classes: Count = 80
    score_thresh_test: Fraction = 0.05


class Model(_Node, frozen=True):
    """The architecture; means and deviations are in grey levels, in the order of ``INPUT.FORMAT``."""

    meta_architecture: str = "GeneralizedRCNN"
    weights: str = ""
    mask_on: bool = False
    keypoint_on: bool = False
    load_proposals: bool = False
    pixel_mean: tuple[float, ...] = (103.53, 116.28, 123.675)
    pixel_std: tuple[Positive, ...] = (1.0, 1.0, 1.0)
    backbone: Backbone = Backbone()
    resnets: ResNets = ResNets()
    efficientnet_lite: EfficientNetLite = EfficientNetLite()
    fpn: Fpn = Fpn()
    proposal_generator: ProposalGenerator = ProposalGenerator()
    anchor_generator: AnchorGenerator = AnchorGenerator()
    rpn: Rpn = Rpn()
    roi_heads: RoiHeads = RoiHeads()
    roi_box_head: RoiBoxHead = RoiBoxHead()
    roi_box_cascade_head: RoiBoxCascadeHead = RoiBoxCascadeHead()
    roi_mask_head: RoiMaskHead = RoiMaskHead()
    retinanet: RetinaNet = RetinaNet()


class Test(_Node, frozen=True):
    """How many detections a frame may have."""

    detections_per_image: int = 100


class Config(_Node, frozen=True):
    """The root of Detectron2's config."""

    version: int = 2
    input: Input = Input()
    model: Model = Model()
    test: Test = Test()


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a Detectron2 config as plain values; strings that hold Python literals are decoded, as yacs does.

    Raises:
        ModelFileError: the file is missing, unreadable, or not a mapping of plain YAML values.
        UnsupportedModelError: the config builds on another file through ``_BASE_``, or is a LazyConfig.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: is no plain YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ModelFileError(f"{path}: holds no mapping of config keys")
    if "_BASE_" in raw:
        raise UnsupportedModelError(
            f"{path}: _BASE_: {raw['_BASE_']}: a model folder holds one complete config; "
            "write it with Detectron2's cfg.dump()"
        )
    if "model" in raw:
        raise UnsupportedModelError(
            f"{path}: model: a LazyConfig names what is to be called, and nothing that a model folder "
            "contains is executed; configs are of the kind that starts with MODEL"
        )
    return {key: _decode(value) for key, value in raw.items()}


def parse_config(raw: dict[str, Any], *, source: str = "config") -> Config:
    """Fill in Detectron2's defaults.

    Raises:
        ModelFileError: a value has the wrong type; the message names its key.
        UnsupportedModelError: the config is of Detectron2's old format.
    """
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ModelFileError(f"{source}: {str(error).replace('`$.', '`')}") from error
    if config.version != Config().version:
        raise UnsupportedModelError(
            f"{source}: VERSION: {config.version} is not supported; supported: {Config().version}"
        )
    return config


def read_config(path: Path) -> Config:
    """Read ``config.yaml``; raises what ``read_yaml`` and ``parse_config`` raise."""
    return parse_config(read_yaml(path), source=str(path))


def _decode(value: Any) -> Any:
    """Decode strings such as ``(10.0, 10.0, 5.0, 5.0)``, which YAML leaves alone and yacs evaluates."""
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        return value
