"""Anchor boxes: every size and ratio, centred on every cell of every feature map."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge.vision.native.config import AnchorGenerator as AnchorConfig


class AnchorGenerator(nn.Module):
    """Anchors in float32 px of the model's input, whatever precision the features have."""

    def __init__(self, config: AnchorConfig, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.offset = config.offset
        sizes = _for_each_level(config.sizes, len(strides))
        ratios = _for_each_level(config.aspect_ratios, len(strides))
        cells = [cell_anchors(s, r) for s, r in zip(sizes, ratios, strict=True)]
        self.num_anchors = len(cells[0])
        for level, cell in enumerate(cells):
            self.register_buffer(f"cell_anchors_{level}", cell, persistent=False)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return for each feature map (N, C, H, W) its anchors (H*W*A, 4), row after row."""
        return [
            self._grid(self.get_buffer(f"cell_anchors_{level}"), stride, *feature.shape[-2:])
            for level, (feature, stride) in enumerate(zip(features, self.strides, strict=True))
        ]

    def _grid(self, cell: Tensor, stride: int, height: int, width: int) -> Tensor:
        x = (torch.arange(width, device=cell.device, dtype=torch.float32) + self.offset) * stride
        y = (torch.arange(height, device=cell.device, dtype=torch.float32) + self.offset) * stride
        shift_y, shift_x = torch.meshgrid(y, x, indexing="ij")
        shifts = torch.stack((shift_x, shift_y, shift_x, shift_y), dim=-1)
        return (shifts.view(-1, 1, 4) + cell).view(-1, 4)


def cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
    """Return (sizes * ratios, 4) boxes around (0, 0) of area size**2 and ratio height / width."""
    anchors = []
    for size in sizes:
        for ratio in aspect_ratios:
            width = math.sqrt(size**2 / ratio)
            height = ratio * width
            anchors.append((-width / 2, -height / 2, width / 2, height / 2))
    return torch.tensor(anchors, dtype=torch.float32)


def _for_each_level(rows: tuple[tuple[float, ...], ...], levels: int) -> tuple[tuple[float, ...], ...]:
    return rows * levels if len(rows) == 1 else rows
