"""An auxiliary head that labels pixels: supervision everywhere makes a fresh backbone learn sooner.

It is trained along with the detector and dropped afterwards, as the semantic branches of Hybrid Task Cascade
(https://arxiv.org/abs/1901.07518) and of Panoptic FPN (https://arxiv.org/abs/1901.02446) that it resembles.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.training.engine.losses import Target

_WIDTH = 32
_RARE = -3.0  # logit of a pixel's being defective before anything is learned
_BCE_WEIGHT = 4.0  # makes both losses of similar size: most pixels are clean


class DenseHead(nn.Module):
    """Class logits for each cell of the pyramid's finest level, from all levels but the subsampled last."""

    def __init__(self, strides: Mapping[str, int], in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.levels = tuple(strides)[:-1]
        self.stride = strides[self.levels[0]]
        self.hidden = nn.ModuleList(nn.Conv2d(in_channels, _WIDTH, 3, padding=1) for _ in self.levels)
        self.logits = nn.Conv2d(_WIDTH, num_classes, 1)
        if self.logits.bias is not None:
            nn.init.constant_(self.logits.bias, _RARE)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Map ``p<n>`` to (N, K, H, W) of the finest level."""
        finest, *coarser = (
            conv(features[level]) for level, conv in zip(self.levels, self.hidden, strict=True)
        )
        total = finest
        for hidden in coarser:
            total = total + functional.interpolate(hidden, size=finest.shape[-2:], mode="bilinear")
        logits: Tensor = self.logits(functional.relu(total))
        return logits


def dense_targets(targets: Sequence[Target], shape: Sequence[int], stride: int) -> Tensor:
    """(N, K, H, W): the part of each cell that each class covers.

    Args:
        targets: of each image.
        shape: N, K, H, W of the logits.
        stride: px of a cell's side.
    """
    _, classes, rows, columns = shape
    covered = torch.zeros(len(targets), classes, rows * stride, columns * stride)
    for image, target in zip(covered, targets, strict=True):
        height, width = target.masks.shape[-2:]
        for class_id, mask in zip(target.classes.tolist(), target.masks.cpu(), strict=True):
            image[class_id, :height, :width].clamp_(min=mask.float())
    return functional.avg_pool2d(covered, stride)


def dense_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, and Dice loss (https://arxiv.org/abs/1606.04797) of the classes that are shown.

    Both (N, K, H, W); computed in float32.
    """
    logits, pixels = logits.float(), (0, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    of_pixels = _BCE_WEIGHT * entropy.mean(pixels).sum()
    found, shown = logits.sigmoid(), targets.sum(pixels)
    dice = (2 * (found * targets).sum(pixels) + 1) / (found.sum(pixels) + shown + 1)
    present = (shown > 0).to(dice)
    return of_pixels + ((1 - dice) * present).sum() / present.sum().clamp(min=1)
