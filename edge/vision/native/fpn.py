"""Feature pyramid network (https://arxiv.org/abs/1612.03144) with Detectron2's parameter names."""

import math

from torch import Tensor, nn
from torch.nn import functional

from edge.vision.native.config import Fpn
from edge.vision.native.efficientnet_lite import EfficientNetLite
from edge.vision.native.layers import Conv2d, init_xavier
from edge.vision.native.resnet import ResNet


class FeaturePyramid(nn.Module):
    """Levels ``p2`` .. ``p5`` of equal width, and ``p6`` subsampled from ``p5``; ``p<n>`` has stride 2**n."""

    def __init__(self, bottom_up: ResNet | EfficientNetLite, config: Fpn) -> None:
        super().__init__()
        self.bottom_up = bottom_up
        self.in_features = config.in_features
        self.average = config.fuse_type == "avg"
        self.levels = tuple(int(math.log2(bottom_up.strides[name])) for name in config.in_features)
        self.out_channels = config.out_channels
        self.strides = {f"p{level}": 2**level for level in (*self.levels, self.levels[-1] + 1)}
        self.size_divisibility = 2 ** self.levels[-1]
        for name, level in zip(config.in_features, self.levels, strict=True):
            lateral = _conv(bottom_up.channels[name], config, kernel_size=1)
            self.add_module(f"fpn_lateral{level}", lateral)
            self.add_module(f"fpn_output{level}", _conv(config.out_channels, config, kernel_size=3))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map (N, 3, H, W), multiples of ``size_divisibility``, to ``p<n>``: (N, C, H/2**n, W/2**n)."""
        stages = self.bottom_up(images)
        outputs: dict[str, Tensor] = {}
        merged: Tensor | None = None
        for name, level in zip(reversed(self.in_features), reversed(self.levels), strict=True):
            lateral = self.get_submodule(f"fpn_lateral{level}")(stages[name])
            merged = lateral if merged is None else self._fuse(lateral, merged)
            outputs[f"p{level}"] = self.get_submodule(f"fpn_output{level}")(merged)
        last = self.levels[-1]
        outputs[f"p{last + 1}"] = functional.max_pool2d(outputs[f"p{last}"], kernel_size=1, stride=2)
        return {name: outputs[name] for name in self.strides}

    def _fuse(self, lateral: Tensor, coarser: Tensor) -> Tensor:
        fused = lateral + functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
        return fused / 2 if self.average else fused


def _conv(in_channels: int, config: Fpn, *, kernel_size: int) -> Conv2d:
    conv = Conv2d(in_channels, config.out_channels, kernel_size, bias=not config.norm, norm=config.norm)
    init_xavier(conv)
    return conv
