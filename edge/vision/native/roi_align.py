"""ROIAlign (https://arxiv.org/abs/1703.06870) on CPUs: every cell is a weighted sum of the map's pixels.

torchvision's operator takes number after number in one thread. But bilinear weights are separable, so that
the samples of a cell reach a rectangle of pixels whose weights are an outer product; and a weighted sum of
rows, which a channels-last map's pixels are, is what ``embedding_bag`` computes, by vectors, in all threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

# What is looked at together, however many boxes there are: some 64 MB of sampling positions of an axis, and
# 16 MB of pixels and their weights.
MAX_SAMPLES = 2_000_000
MAX_WEIGHTS = 2_000_000


class _Taps(NamedTuple):
    """What the P cells of R boxes weigh of one axis.

    ``pixels``: (R, P, K) int32, all of them on the map; ``weights``: (R, P, K) float32, 0 past what a cell
    needs; ``needed``: (R,) int64, how many of the K the cells of a box need.
    """

    pixels: Tensor
    weights: Tensor
    needed: Tensor


@dataclass(frozen=True, slots=True)
class RoiAlign:
    """Cuts boxes into ``resolution`` x ``resolution`` cells as ``torchvision.ops.roi_align`` does.

    ``spatial_scale``: pixels of the map to a px of the model's input; ``sampling_ratio``: samples a side in
    each cell, 0 for one for each pixel of the map; ``aligned``: the centre of the first pixel lies at 0.5
    (ROIAlignV2), not at 0. There are no gradients of the boxes.
    """

    resolution: int
    spatial_scale: float
    sampling_ratio: int
    aligned: bool

    def __call__(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return the cells (R, C, resolution, resolution) of boxes in the order given, channels-last.

        Args:
            features: (N, C, H, W); channels-last spares a copy.
            rois: (R, 5) float32: number of the image, then x0 y0 x1 y1 in px of the model's input.
        """
        cells = features.new_empty(len(rois), self.resolution, self.resolution, features.shape[1])
        for places, values in self.parts(features, rois):
            cells.index_copy_(0, places, values)
        return cells.permute(0, 3, 1, 2)

    def parts(self, features: Tensor, rois: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield places (G,) among the boxes and their cells (G, resolution, resolution, C), each place once.

        Sums are made in float32; only the weights and the sums are rounded to the features' type.
        """
        channels, height, width = features.shape[1:]
        rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
        boxes = rois[:, 1:] * self.spatial_scale - (0.5 if self.aligned else 0.0)
        # Boxes of a model that has diverged: what is in their cells does not matter, but cells they need.
        boxes = boxes.nan_to_num(0.0, 0.0, 0.0)
        starts = rois[:, 0].int() * (height * width)
        for part in self._parts_of(boxes):
            x0, y0, x1, y1 = boxes[part].unbind(1)
            down, across = self._taps(y0, y1, height), self._taps(x0, x1, width)
            down.pixels.mul_(width).add_(starts[part, None, None])
            for group, pixels, weights in self._bags(down, across):
                sums = embedding_bag(pixels, rows, per_sample_weights=weights.to(rows.dtype), mode="sum")
                yield part[group], sums.view(len(group), self.resolution, self.resolution, channels)

    def _parts_of(self, boxes: Tensor) -> tuple[Tensor, ...]:
        """Split the boxes' numbers, so that a part has at most MAX_SAMPLES on an axis, or is a single box."""
        if not len(boxes):
            return ()
        most = int(self._samples(boxes[:, 2:] - boxes[:, :2]).max())
        size = max(1, MAX_SAMPLES // (self.resolution * max(1, most)))
        return torch.split(torch.arange(len(boxes)), size)

    def _samples(self, sides: Tensor) -> Tensor:
        """Return how many samples a cell has along sides in pixels of the map."""
        if self.sampling_ratio:
            return torch.full_like(sides, self.sampling_ratio)
        if not self.aligned:
            sides = sides.clamp(min=1.0)
        return (sides / self.resolution).ceil().clamp(min=0.0)

    def _taps(self, low: Tensor, high: Tensor, size: int) -> _Taps:
        """Share each sample between its two neighbours among the pixels 0 .. size - 1, and add up by cell."""
        positions, share = self._positions(low, high, size)
        before = positions.floor()
        first = before.amin(2, keepdim=True)
        places, beyond = (before - first).long(), positions - before
        needed = places.amax((1, 2)) + 2
        weights = low.new_zeros(len(low), self.resolution, int(needed.max()))
        weights.scatter_add_(2, places, (1 - beyond) * share).scatter_add_(2, places + 1, beyond * share)
        pixels = first.int() + torch.arange(weights.shape[2], dtype=torch.int32)
        return _Taps(pixels.clamp(max=size - 1), weights, needed)

    def _positions(self, low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Return where the samples of each cell lie, and their shares of it, both (R, P, most samples).

        Samples up to a pixel outside count as on the edge, others as nothing, as in torchvision.
        """
        sides = high - low if self.aligned else (high - low).clamp(min=1.0)
        cell = (sides / self.resolution)[:, None]
        samples = self._samples(sides)[:, None]
        numbers = torch.arange(max(1, int(samples.max())))
        starts = low[:, None] + torch.arange(self.resolution) * cell
        steps = (numbers + 0.5) * (cell / samples.clamp(min=1))
        positions = starts[:, :, None] + steps[:, None]
        counted = (numbers < samples)[:, None] & (positions >= -1.0) & (positions <= size)
        share = counted / samples.clamp(min=1)[:, :, None]
        return torch.where(counted, positions, positions[:, :, :1]).clamp(0, size - 1), share

    def _bags(self, down: _Taps, across: _Taps) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield boxes (G,) whose cells need equally many pixels, and these and their weights: (G*P*P, K)."""
        kinds = torch.stack((down.needed, across.needed), dim=1)
        kinds, kind_of_box = kinds.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call] # torch
        for kind, (rows, columns) in enumerate(kinds.tolist()):
            boxes = (kind_of_box == kind).nonzero()[:, 0]
            for group in boxes.split(max(1, MAX_WEIGHTS // (self.resolution**2 * rows * columns))):
                y, x = (group, slice(None), slice(rows)), (group, slice(None), slice(columns))
                pixels = down.pixels[y][:, :, None, :, None] + across.pixels[x][:, None, :, None, :]
                weights = down.weights[y][:, :, None, :, None] * across.weights[x][:, None, :, None, :]
                yield group, pixels.view(-1, rows * columns), weights.view(-1, rows * columns)
