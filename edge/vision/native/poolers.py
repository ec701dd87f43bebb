"""ROIAlign (https://arxiv.org/abs/1703.06870) from the pyramid level that fits each box."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from edge.vision.native.roi_align import RoiAlign

# A box of ImageNet's 224 px belongs on level 4, stride 16: equation 1 of the FPN paper.
CANONICAL_SIZE_PX = 224
CANONICAL_LEVEL = 4


class BoxPooler(nn.Module):
    """Cuts boxes out of feature maps; ``strides`` are those of the maps, each twice the one before.

    ``sampling_ratio`` 0 samples as densely as each box needs. ``aligned`` is Detectron2's ROIAlignV2.
    Learning, and whatever runs on a GPU, uses torchvision's operator; inference on a CPU uses ours, which
    takes a tenth of its time for the thousand boxes of a classic config.
    """

    def __init__(
        self, resolution: int, strides: Sequence[int], *, sampling_ratio: int, aligned: bool
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.strides = tuple(strides)
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned
        self.min_level = int(math.log2(strides[0]))
        self.max_level = int(math.log2(strides[-1]))

    def forward(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Pool the boxes of all images.

        Args:
            features: one (N, C, H, W) for each stride.
            boxes: for each of the N images (Ri, 4) px of the model's input.

        Returns:
            (sum of Ri, C, resolution, resolution), image after image: in inference on a CPU of the features'
            type and channels-last, else float32.
        """
        rois = _with_image_index(boxes)
        levels = (
            self.levels(rois[:, 1:]) if len(features) > 1 else rois.new_zeros(len(rois), dtype=torch.long)
        )
        if features[0].device.type == "cpu" and not torch.is_grad_enabled():
            return self._weigh(features, rois, levels)
        shape = (len(rois), features[0].shape[1], self.resolution, self.resolution)
        pooled = rois.new_zeros(shape)
        for i, (feature, stride) in enumerate(zip(features, self.strides, strict=True)):
            chosen = torch.nonzero(levels == i)[:, 0]
            if len(chosen):
                pooled.index_put_((chosen,), self._pool(feature, rois[chosen], stride))
        return pooled

    def levels(self, boxes: Tensor) -> Tensor:
        """Return for each box (R, 4) the index of its level among ``strides``."""
        sizes = torch.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
        levels = torch.floor(CANONICAL_LEVEL + torch.log2(sizes / CANONICAL_SIZE_PX + 1e-8))
        return levels.clamp(self.min_level, self.max_level).long() - self.min_level

    def _weigh(self, features: Sequence[Tensor], rois: Tensor, levels: Tensor) -> Tensor:
        channels = features[0].shape[1]
        pooled = features[0].new_empty(len(rois), self.resolution, self.resolution, channels)
        for i, (feature, stride) in enumerate(zip(features, self.strides, strict=True)):
            chosen = torch.nonzero(levels == i)[:, 0]
            align = RoiAlign(self.resolution, 1 / stride, self.sampling_ratio, self.aligned)
            for places, cells in align.parts(feature, rois[chosen]):
                pooled.index_copy_(0, chosen[places], cells)
        return pooled.permute(0, 3, 1, 2)

    def _pool(self, feature: Tensor, rois: Tensor, stride: int) -> Tensor:
        """Pool in float32: in bfloat16 a box at 1,333 px would move by up to 4 px."""
        return roi_align(
            feature.float(),
            rois,
            self.resolution,
            spatial_scale=1 / stride,
            sampling_ratio=self.sampling_ratio,
            aligned=self.aligned,
        )


def _with_image_index(boxes: Sequence[Tensor]) -> Tensor:
    """Concatenate boxes to (R, 5): image index, x0, y0, x1, y1."""
    counts = torch.tensor([len(b) for b in boxes], device=boxes[0].device)
    index = torch.arange(len(boxes), device=boxes[0].device).repeat_interleave(counts)
    stacked = torch.cat(list(boxes))
    return torch.cat((index[:, None].to(stacked.dtype), stacked), dim=1)
