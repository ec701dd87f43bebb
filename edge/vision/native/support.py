"""What of Detectron2's configs the native model implements; everything else is refused by its key."""

from collections.abc import Iterable, Iterator
from typing import Any

from edge.errors import UnsupportedModelError
from edge.vision.native.config import Config

GROUP_NORM_GROUPS = 32
NORMS = ("", "BN", "SyncBN", "FrozenBN", "GN")
BASIC_DEPTHS = (18, 34)
DEPTHS = (18, 34, 50, 101, 152)
RESNET_FPN = "build_resnet_fpn_backbone"
LITE_FPN = "build_efficientnet_lite_fpn_backbone"
# Width and depth as multiples: https://github.com/tensorflow/tpu, models/official/efficientnet/lite
LITE_VARIANTS = {
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
    "lite3": (1.2, 1.4),
    "lite4": (1.4, 1.8),
}
POOLERS = ("ROIAlignV2", "ROIAlign")

Rule = tuple[str, Any, tuple[Any, ...]]


def check_supported(config: Config, *, source: str = "config") -> None:
    """Check the config against what is implemented; raises what ``check_rules`` raises."""
    check_rules(_rules(config), source=source)


def check_rules(rules: Iterable[Rule], *, source: str) -> None:
    """Check values against those that are supported.

    Args:
        rules: (key, its value, supported values).
        source: where the keys stand.

    Raises:
        UnsupportedModelError: names ``source``, the first such key, its value, and what is supported.
    """
    for key, value, supported in rules:
        if value not in supported:
            allowed = ", ".join(_shown(choice) for choice in supported)
            raise UnsupportedModelError(
                f"{source}: {key}: {_shown(value)} is not supported; supported: {allowed}"
            )


def _rules(config: Config) -> Iterator[Rule]:
    """Yield (key, its value, supported values)."""
    yield "INPUT.FORMAT", config.input.format, ("BGR", "RGB")
    yield from _architecture_rules(config)
    yield from _backbone_rules(config)
    yield from _level_rules(config)
    yield from _head_rules(config)
    yield from _group_norm_rules(config)


def _architecture_rules(config: Config) -> Iterator[Rule]:
    model = config.model
    yield "MODEL.META_ARCHITECTURE", model.meta_architecture, ("GeneralizedRCNN",)
    yield "MODEL.KEYPOINT_ON", model.keypoint_on, (False,)
    yield "MODEL.LOAD_PROPOSALS", model.load_proposals, (False,)
    yield "MODEL.BACKBONE.NAME", model.backbone.name, (RESNET_FPN, LITE_FPN)
    yield "MODEL.PROPOSAL_GENERATOR.NAME", model.proposal_generator.name, ("RPN",)
    yield "MODEL.RPN.HEAD_NAME", model.rpn.head_name, ("StandardRPNHead",)
    yield "MODEL.ANCHOR_GENERATOR.NAME", model.anchor_generator.name, ("DefaultAnchorGenerator",)
    yield "MODEL.ROI_HEADS.NAME", model.roi_heads.name, ("StandardROIHeads", "CascadeROIHeads")
    yield "MODEL.PIXEL_MEAN (its length)", len(model.pixel_mean), (3,)
    yield "MODEL.PIXEL_STD (its length)", len(model.pixel_std), (3,)


def _backbone_rules(config: Config) -> Iterator[Rule]:
    model = config.model
    yield from _lite_rules(config) if model.backbone.name == LITE_FPN else _resnet_rules(config)
    yield "MODEL.FPN.NORM", model.fpn.norm, NORMS
    yield "MODEL.FPN.FUSE_TYPE", model.fpn.fuse_type, ("sum", "avg")


def _lite_rules(config: Config) -> Iterator[Rule]:
    lite = config.model.efficientnet_lite
    yield "MODEL.EFFICIENTNET_LITE.VARIANT", lite.variant, tuple(LITE_VARIANTS)
    yield "MODEL.EFFICIENTNET_LITE.NORM", lite.norm, ("BN", "FrozenBN")


def _resnet_rules(config: Config) -> Iterator[Rule]:
    resnets = config.model.resnets
    yield "MODEL.RESNETS.DEPTH", resnets.depth, DEPTHS
    yield "MODEL.RESNETS.NORM", resnets.norm, NORMS
    yield "MODEL.RESNETS.RES5_DILATION", resnets.res5_dilation, (1,)
    yield "MODEL.RESNETS.DEFORM_ON_PER_STAGE", any(resnets.deform_on_per_stage), (False,)
    if resnets.depth in BASIC_DEPTHS:
        yield "MODEL.RESNETS.RES2_OUT_CHANNELS (with depth 18 and 34)", resnets.res2_out_channels, (64,)
        yield "MODEL.RESNETS.NUM_GROUPS (with depth 18 and 34)", resnets.num_groups, (1,)


def _level_rules(config: Config) -> Iterator[Rule]:
    model = config.model
    stages = ("res2", "res3", "res4", "res5")
    yield "MODEL.FPN.IN_FEATURES", model.fpn.in_features, tuple(stages[i:] for i in range(len(stages)))
    if model.backbone.name == RESNET_FPN:
        for name in model.fpn.in_features:
            yield (
                "MODEL.FPN.IN_FEATURES (one of MODEL.RESNETS.OUT_FEATURES)",
                name,
                model.resnets.out_features,
            )
    levels = tuple(name.replace("res", "p") for name in model.fpn.in_features)
    runs = tuple(levels[i:j] for i in range(len(levels)) for j in range(len(levels), i, -1))
    yield "MODEL.ROI_HEADS.IN_FEATURES", model.roi_heads.in_features, runs
    for name in model.rpn.in_features:
        yield "MODEL.RPN.IN_FEATURES", name, (*levels, "p6")
    for key, rows in (
        ("SIZES", model.anchor_generator.sizes),
        ("ASPECT_RATIOS", model.anchor_generator.aspect_ratios),
    ):
        yield (
            f"MODEL.ANCHOR_GENERATOR.{key} (number of rows)",
            len(rows),
            (1, len(model.rpn.in_features)),
        )
        yield f"MODEL.ANCHOR_GENERATOR.{key} (equally long rows)", len({len(row) for row in rows}), (1,)


def _head_rules(config: Config) -> Iterator[Rule]:
    box, mask = config.model.roi_box_head, config.model.roi_mask_head
    yield "MODEL.ROI_BOX_HEAD.NAME", box.name, ("FastRCNNConvFCHead",)
    yield "MODEL.ROI_BOX_HEAD.POOLER_TYPE", box.pooler_type, POOLERS
    yield "MODEL.ROI_BOX_HEAD.NORM", box.norm, NORMS
    yield "MODEL.ROI_BOX_HEAD.USE_FED_LOSS", box.use_fed_loss, (False,)
    if config.model.roi_heads.name == "CascadeROIHeads":
        yield "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG (with a cascade)", box.cls_agnostic_bbox_reg, (True,)
    if config.model.mask_on:
        yield "MODEL.ROI_MASK_HEAD.NAME", mask.name, ("MaskRCNNConvUpsampleHead",)
        yield "MODEL.ROI_MASK_HEAD.POOLER_TYPE", mask.pooler_type, POOLERS
        yield "MODEL.ROI_MASK_HEAD.NORM", mask.norm, NORMS


def _group_norm_rules(config: Config) -> Iterator[Rule]:
    """Group norm has 32 groups, so it needs widths that are multiples of it."""
    model = config.model
    resnets, box, mask = model.resnets, model.roi_box_head, model.roi_mask_head
    of_resnet = resnets.norm if model.backbone.name == RESNET_FPN else ""
    widths = (
        ("MODEL.RESNETS.STEM_OUT_CHANNELS", of_resnet, resnets.stem_out_channels),
        ("MODEL.RESNETS.RES2_OUT_CHANNELS", of_resnet, resnets.res2_out_channels),
        (
            "MODEL.RESNETS.NUM_GROUPS * WIDTH_PER_GROUP",
            of_resnet,
            resnets.num_groups * resnets.width_per_group,
        ),
        ("MODEL.FPN.OUT_CHANNELS", model.fpn.norm, model.fpn.out_channels),
        ("MODEL.ROI_BOX_HEAD.CONV_DIM", box.norm if box.num_conv else "", box.conv_dim),
        ("MODEL.ROI_MASK_HEAD.CONV_DIM", mask.norm if model.mask_on else "", mask.conv_dim),
    )
    for key, norm, width in widths:
        if norm == "GN" and width % GROUP_NORM_GROUPS:
            yield f"{key} (with norm GN)", width, (f"multiples of {GROUP_NORM_GROUPS}",)


def _shown(value: Any) -> str:
    """Show a value as it stands in the YAML file."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return (
        f"'{value}'"
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
