"""ResNet and ResNeXt (https://arxiv.org/abs/1512.03385, 1611.05431) with Detectron2's parameter names."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from edge.vision.native.config import ResNets
from edge.vision.native.layers import Conv2d, freeze, init_msra
from edge.vision.native.support import BASIC_DEPTHS

BLOCKS_PER_STAGE = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
STEM_STRIDE = 4


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.shortcut = _shortcut(in_channels, out_channels, stride, norm)
        self.conv1 = Conv2d(in_channels, out_channels, 3, stride=stride, norm=norm, relu=True)
        self.conv2 = Conv2d(out_channels, out_channels, 3, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/stride, W/stride)."""
        return _join(self.conv2(self.conv1(x)), x, self.shortcut)


class BottleneckBlock(nn.Module):
    """1x1, (grouped) 3x3 and 1x1 convolutions and a shortcut; the stride lies in the first or the second."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bottleneck_channels: int,
        stride: int,
        num_groups: int,
        norm: str,
        stride_in_1x1: bool,
    ) -> None:
        super().__init__()
        stride_1x1, stride_3x3 = (stride, 1) if stride_in_1x1 else (1, stride)
        width = bottleneck_channels
        self.shortcut = _shortcut(in_channels, out_channels, stride, norm)
        self.conv1 = Conv2d(in_channels, width, 1, stride=stride_1x1, norm=norm, relu=True)
        self.conv2 = Conv2d(width, width, 3, stride=stride_3x3, groups=num_groups, norm=norm, relu=True)
        self.conv3 = Conv2d(width, out_channels, 1, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/stride, W/stride)."""
        return _join(self.conv3(self.conv2(self.conv1(x))), x, self.shortcut)


class Stem(nn.Module):
    """A strided 7x7 convolution and a max pool."""

    def __init__(self, out_channels: int, norm: str) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, out_channels, 7, stride=2, norm=norm, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, C, H/4, W/4)."""
        return functional.max_pool2d(self.conv1(x), kernel_size=3, stride=2, padding=1)


class ResNet(nn.Module):
    """Stem and stages ``res2`` .. ``res5``; ``channels`` and ``strides`` tell what each stage gives."""

    def __init__(self, config: ResNets, *, freeze_at: int = 0) -> None:
        super().__init__()
        self.stem = Stem(config.stem_out_channels, config.norm)
        self.stage_names = ("res2", "res3", "res4", "res5")
        self.channels = {name: config.res2_out_channels << i for i, name in enumerate(self.stage_names)}
        self.strides = {name: STEM_STRIDE << i for i, name in enumerate(self.stage_names)}
        for i, name in enumerate(self.stage_names):
            self.add_module(name, nn.Sequential(*_stage_blocks(config, i)))
        for layer in self.modules():
            if isinstance(layer, Conv2d):
                init_msra(layer)
        self._freeze(freeze_at)

    def _freeze(self, freeze_at: int) -> None:
        """Freeze the stem (1 and more), ``res2`` (2 and more), and so on."""
        if freeze_at >= 1:
            freeze(self.stem)
        for i, name in enumerate(self.stage_names):
            if freeze_at >= i + 2:
                freeze(self.get_submodule(name))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map (N, 3, H, W) to ``res2`` .. ``res5``: (N, C, H/4, W/4) .. (N, 8*C, H/32, W/32)."""
        outputs = {}
        x = self.stem(x)
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
            outputs[name] = x
        return outputs


def _stage_blocks(config: ResNets, index: int) -> Iterator[nn.Module]:
    """Yield the blocks of stage ``res{index + 2}``; channels double from stage to stage."""
    out_channels = config.res2_out_channels << index
    in_channels = out_channels // 2 if index else config.stem_out_channels
    for block in range(BLOCKS_PER_STAGE[config.depth][index]):
        stride = 2 if index and block == 0 else 1
        if config.depth in BASIC_DEPTHS:
            yield BasicBlock(in_channels, out_channels, stride=stride, norm=config.norm)
        else:
            yield BottleneckBlock(
                in_channels,
                out_channels,
                bottleneck_channels=config.num_groups * config.width_per_group << index,
                stride=stride,
                num_groups=config.num_groups,
                norm=config.norm,
                stride_in_1x1=config.stride_in_1x1,
            )
        in_channels = out_channels


def _shortcut(in_channels: int, out_channels: int, stride: int, norm: str) -> Conv2d | None:
    if in_channels == out_channels:
        return None
    return Conv2d(in_channels, out_channels, 1, stride=stride, norm=norm)


def _join(out: Tensor, x: Tensor, shortcut: Conv2d | None) -> Tensor:
    out += x if shortcut is None else shortcut(x)
    return functional.relu_(out)
