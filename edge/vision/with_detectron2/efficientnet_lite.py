"""The native EfficientNet-Lite as a backbone of Detectron2, for configs that serve both."""

from typing import Any

from detectron2.config import CfgNode, get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, FPN, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from torch import Tensor

from edge.vision.native import config, efficientnet_lite


class EfficientNetLite(Backbone):  # type: ignore[misc] # an untyped base
    """The native network's parts under Detectron2's interface."""

    def __init__(self, settings: config.EfficientNetLite, *, freeze_at: int) -> None:
        super().__init__()
        network = efficientnet_lite.EfficientNetLite(settings, freeze_at=freeze_at)
        self._shapes = {
            name: ShapeSpec(channels=network.channels[name], stride=network.strides[name])
            for name in efficientnet_lite.STAGES
        }
        for name, part in network.named_children():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map (N, 3, H, W) to ``res2`` .. ``res5``: (N, C, H/4, W/4) .. (N, C', H/32, W/32)."""
        return efficientnet_lite.stages(self, x)

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Tell each stage's channels and stride."""
        return self._shapes


def base_config() -> CfgNode:
    """Detectron2's defaults, and the backbone's section."""
    cfg, defaults = get_cfg(), config.EfficientNetLite()
    cfg.MODEL.EFFICIENTNET_LITE = CfgNode({"VARIANT": defaults.variant, "NORM": defaults.norm})
    return cfg


@BACKBONE_REGISTRY.register()  # type: ignore[untyped-decorator]
def build_efficientnet_lite_fpn_backbone(cfg: CfgNode, _: ShapeSpec) -> Any:
    """Build the backbone with Detectron2's own feature pyramid."""
    lite = cfg.MODEL.EFFICIENTNET_LITE
    settings = config.EfficientNetLite(variant=lite.VARIANT, norm=lite.NORM)
    return FPN(
        bottom_up=EfficientNetLite(settings, freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT),
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=LastLevelMaxPool(),
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
    )
