"""EfficientNet-Lite (https://arxiv.org/abs/1905.11946, without squeeze-and-excitation, with ReLU6).

A tenth of the arithmetic of a ResNet-50, and weights learnt on ImageNet, in what the edge has room for.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.vision.native.config import EfficientNetLite as Settings
from edge.vision.native.layers import Conv2d, freeze, init_msra
from edge.vision.native.support import LITE_VARIANTS

_STEM_CHANNELS = 32
_CEILING = 6.0  # of ReLU6
_EPS_OF_ORIGIN = 1e-3  # of the published batch norms
_EPS = 1e-5  # of ours
_DIVISOR = 8  # widths are multiples of it


class _Group(NamedTuple):
    """Blocks that are alike: ``repeats`` of the variant of depth 1, of which the first has the stride."""

    stage: str
    repeats: int
    channels: int
    kernel_size: int
    stride: int
    expansion: int


_GROUPS = (
    _Group("res2", 1, 16, 3, 1, 1),
    _Group("res2", 2, 24, 3, 2, 6),
    _Group("res3", 2, 40, 5, 2, 6),
    _Group("res4", 3, 80, 3, 2, 6),
    _Group("res4", 3, 112, 5, 1, 6),
    _Group("res5", 4, 192, 5, 2, 6),
    _Group("res5", 1, 320, 3, 1, 6),
)
STAGES = ("res2", "res3", "res4", "res5")


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise k x k, linear 1x1 projection; a shortcut where shapes allow it.

    https://arxiv.org/abs/1801.04381
    """

    def __init__(self, in_channels: int, group: _Group, out_channels: int, *, stride: int, norm: str) -> None:
        super().__init__()
        width = in_channels * group.expansion
        self.expand = Conv2d(in_channels, width, 1, norm=norm) if group.expansion > 1 else None
        self.depthwise = Depthwise(width, group.kernel_size, stride=stride, norm=norm)
        self.project = Conv2d(width, out_channels, 1, norm=norm)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/stride, W/stride)."""
        wide = x if self.expand is None else _relu6(self.expand(x))
        y: Tensor = self.project(_relu6(self.depthwise(wide)))
        return y.add_(x) if self.has_shortcut else y


class Depthwise(Conv2d):
    """A convolution of each channel by itself."""

    def __init__(self, channels: int, kernel_size: int, *, stride: int, norm: str) -> None:
        super().__init__(channels, channels, kernel_size, stride=stride, groups=channels, norm=norm)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name of the argument
        """Map (N, C, H, W) to (N, C, H/stride, W/stride).

        Learning on a CPU happens in float32: in bfloat16 the gradient of 5x5 weights is four times slower.
        """
        if not (torch.is_grad_enabled() and input.device.type == "cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class EfficientNetLite(nn.Module):
    """Stem and stages ``res2`` .. ``res5``, as in a ResNet named for their strides 4 .. 32."""

    def __init__(self, config: Settings, *, freeze_at: int = 0) -> None:
        super().__init__()
        self.stem = Conv2d(3, _STEM_CHANNELS, 3, stride=2, norm=config.norm)
        blocks = list(_blocks(config))
        self.channels: dict[str, int] = {}
        for name in STAGES:
            stage = [block for of, block in blocks if of == name]
            self.add_module(name, nn.Sequential(*stage))
            self.channels[name] = stage[-1].project.out_channels
        self.strides = {name: 4 << i for i, name in enumerate(STAGES)}
        for layer in self.modules():
            if isinstance(layer, Conv2d):
                init_msra(layer)
        for i, part in enumerate(("stem", *STAGES)):
            if freeze_at > i:
                freeze(self.get_submodule(part))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map (N, 3, H, W) to ``res2`` .. ``res5``: (N, C, H/4, W/4) .. (N, C', H/32, W/32)."""
        return stages(self, x)


def stages(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Let the stem and the stages of a network see (N, 3, H, W); answers what each stage gives."""
    outputs = {}
    x = _relu6(network.get_submodule("stem")(x))
    for name in STAGES:
        x = network.get_submodule(name)(x)
        outputs[name] = x
    return outputs


def _relu6(x: Tensor) -> Tensor:
    return functional.hardtanh_(x, 0.0, _CEILING)


def _blocks(config: Settings) -> Iterator[tuple[str, InvertedResidual]]:
    """Yield stage and block, from the image on; variants differ in depth between the first and last group."""
    width, depth = LITE_VARIANTS[config.variant]
    in_channels = _STEM_CHANNELS
    for i, group in enumerate(_GROUPS):
        out_channels = _rounded(group.channels * width)
        at_the_ends = i in (0, len(_GROUPS) - 1)
        for repeat in range(group.repeats if at_the_ends else math.ceil(group.repeats * depth)):
            stride = group.stride if repeat == 0 else 1
            yield (
                group.stage,
                InvertedResidual(in_channels, group, out_channels, stride=stride, norm=config.norm),
            )
            in_channels = out_channels


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, down by a tenth at most."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + _DIVISOR


_STEM_OF_ORIGIN = {"_conv_stem": "stem", "_bn0": "stem.norm"}
_BLOCK_OF_ORIGIN = {
    "_expand_conv": "expand",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise.norm",
    "_project_conv": "project",
    "_bn2": "project.norm",
}


def is_published(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are an ImageNet classifier's, under the names of its publication."""
    return "_conv_stem.weight" in weights


def from_published(weights: Mapping[str, Tensor], config: Settings) -> dict[str, Tensor]:
    """Give the backbone's part of an ImageNet classifier's weights the names that it has in a detector.

    The published norms add 1e-3 to the variance and ours 1e-5; the difference goes into the variance.
    """
    stages_of_blocks = [stage for stage, _ in _blocks(config)]
    places = [f"{stage}.{i - stages_of_blocks.index(stage)}" for i, stage in enumerate(stages_of_blocks)]
    renamed = {}
    for name, value in weights.items():
        place = _renamed(name, places)
        if place is not None:
            adjusted = value + (_EPS_OF_ORIGIN - _EPS) if name.endswith("running_var") else value
            renamed[f"backbone.bottom_up.{place}"] = adjusted
    return renamed


def _renamed(name: str, places: list[str]) -> str | None:
    """The name in the backbone; None for the classifier's own, and for blocks that the variant lacks."""
    parts = name.split(".")
    if parts[0] in _STEM_OF_ORIGIN:
        return f"{_STEM_OF_ORIGIN[parts[0]]}.{parts[1]}"
    if parts[0] != "_blocks" or int(parts[1]) >= len(places):
        return None
    return f"{places[int(parts[1])]}.{_BLOCK_OF_ORIGIN[parts[2]]}.{parts[3]}"
