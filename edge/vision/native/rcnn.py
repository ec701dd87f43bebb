"""The whole network: backbone, proposals, heads. Its ``state_dict`` has Detectron2's names."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge.vision.native.config import Config, Model
from edge.vision.native.efficientnet_lite import EfficientNetLite
from edge.vision.native.fpn import FeaturePyramid
from edge.vision.native.resnet import ResNet
from edge.vision.native.roi_heads import BoxDetections, CascadeRoiHeads, RoiHeads, StandardRoiHeads
from edge.vision.native.rpn import RegionProposalNetwork, RpnOutput
from edge.vision.native.support import LITE_FPN, check_supported


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Normalised images (N, 3, H, W), zero-padded right and below, and their own sizes (height, width) px."""

    pixels: Tensor
    image_sizes: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RawDetections:
    """One image's detections in px of the model's input; (D, M, M) mask probabilities if it has masks."""

    found: BoxDetections
    masks: Tensor | None


class GeneralizedRCNN(nn.Module):
    """Faster, Mask and Cascade R-CNN on a ResNet or an EfficientNet-Lite with FPN.

    Training calls the parts: ``batch``, ``backbone``, ``proposal_generator``, its ``select``, ``roi_heads``.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        model = config.model
        self.backbone = FeaturePyramid(_bottom_up(model), model.fpn)
        width, strides = self.backbone.out_channels, self.backbone.strides
        self.proposal_generator = RegionProposalNetwork(model, width, strides)
        heads = CascadeRoiHeads if model.roi_heads.name == "CascadeROIHeads" else StandardRoiHeads
        self.roi_heads: RoiHeads = heads(config, width, strides)
        self.register_buffer("pixel_mean", torch.tensor(model.pixel_mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(model.pixel_std).view(-1, 1, 1), persistent=False)

    def batch(self, images: Sequence[Tensor]) -> ImageBatch:
        """Normalise images (3, Hi, Wi) in INPUT.FORMAT's order, or grey (1, Hi, Wi); pad them to one size."""
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images]
        height, width = self.padded_size(max(h for h, _ in sizes), max(w for _, w in sizes))
        # Channels last, and written in that order: a frame's worth of memory is filled once, from end to end.
        pixels = self.pixel_mean.new_zeros(len(images), height, width, 3)
        for slot, image, (h, w) in zip(pixels, images, sizes, strict=True):
            torch.sub(image.permute(1, 2, 0), self.pixel_mean.flatten(), out=slot[:h, :w])
        pixels /= self.pixel_std.flatten()
        return ImageBatch(pixels.permute(0, 3, 1, 2), sizes)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) px rounded up to what the pyramid can halve."""
        step = self.backbone.size_divisibility
        return -(-height // step) * step, -(-width // step) * step

    def first_stage(self, pixels: Tensor) -> tuple[dict[str, Tensor], RpnOutput]:
        """Return the feature maps by name, and what the proposal network says of each anchor."""
        features = self.backbone(pixels)
        return features, self.proposal_generator(features)

    def forward(self, batch: ImageBatch) -> list[RawDetections]:
        """Detect; one entry for each image."""
        features, anchors = self.first_stage(batch.pixels)
        proposals = self.proposal_generator.select(anchors, batch.image_sizes)
        found = self.roi_heads.detect(features, [p.boxes for p in proposals], batch.image_sizes)
        if self.roi_heads.mask_head is None:
            return [RawDetections(image, None) for image in found]
        masks = self.roi_heads.mask_probabilities(features, found)
        return [RawDetections(image, mask) for image, mask in zip(found, masks, strict=True)]


def _bottom_up(model: Model) -> ResNet | EfficientNetLite:
    freeze_at = model.backbone.freeze_at
    if model.backbone.name == LITE_FPN:
        return EfficientNetLite(model.efficientnet_lite, freeze_at=freeze_at)
    return ResNet(model.resnets, freeze_at=freeze_at)


def build_model(config: Config, *, source: str = "config") -> GeneralizedRCNN:
    """Build the network with fresh weights, initialised as Detectron2 does; ``source`` is named in errors.

    Raises:
        UnsupportedModelError: the config asks for something that is not implemented here.
    """
    check_supported(config, source=source)
    return GeneralizedRCNN(config)
