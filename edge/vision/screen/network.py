"""The screening network: a few convolutions on the picture at half its size, 0.4 GFLOP for 1600 x 256 px."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.vision.runtime import COLOUR_DIMENSIONS, Image

CELL_PX = 16
"""Sides of the square of a frame that one logit is about."""

# A frame is as suspicious as its most suspicious cells are on average: one alone may be noise, and the
# smallest defects of Severstal's set fill about so many.
_MOST_SUSPICIOUS = 4
# Grey levels of Severstal's strip; a screen learns what remains of another camera's.
_MEAN, _DEVIATION = 85.0, 50.0
_GREEN = 1


class ScreenNetwork(nn.Module):
    """Grey pictures to a logit for each cell of 16 x 16 px: whether it shows part of a defect."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(1, 16, stride=2),
            _convolution(16, 32, stride=2),
            _convolution(32, 32),
            _convolution(32, 48, stride=2),
            _convolution(48, 48),
            _convolution(48, 48, dilation=2),
            nn.Conv2d(48, 1, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (N, H/16, W/16) logits, sides rounded up, of (N, 1, H, W) grey levels."""
        half = functional.avg_pool2d((pictures - _MEAN) / _DEVIATION, 2, ceil_mode=True)
        logits: Tensor = self.layers(half)
        return logits.squeeze(1)


def frame_logits(cells: Tensor) -> Tensor:
    """Return (N,) logits of frames from those of their cells (N, H, W)."""
    flat = cells.flatten(1)
    return flat.topk(min(_MOST_SUSPICIOUS, flat.shape[1]), dim=1).values.mean(dim=1)


def to_batch(images: Sequence[Image]) -> Tensor:
    """Return (N, 1, H, W) float32 grey levels of images of one size; of colours, green counts."""
    grey = [image[:, :, _GREEN] if image.ndim == COLOUR_DIMENSIONS else image for image in images]
    return torch.from_numpy(np.stack(grey)).unsqueeze(1).float()


def _convolution(inner: int, outer: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    )
