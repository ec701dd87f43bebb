"""Region proposal network (https://arxiv.org/abs/1506.01497)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from edge.vision.native.anchors import AnchorGenerator
from edge.vision.native.boxes import BoxCoder, clip, larger_than
from edge.vision.native.config import Model, Rpn
from edge.vision.native.layers import Conv2d, init_normal


@dataclass(frozen=True, slots=True)
class RpnOutput:
    """What the network says of each anchor; lists over levels, R = H*W*A anchors of a level.

    ``anchors``: (R, 4) float32 px; ``objectness``: (N, R) logits; ``deltas``: (N, R, 4).
    """

    anchors: list[Tensor]
    objectness: list[Tensor]
    deltas: list[Tensor]


@dataclass(frozen=True, slots=True)
class Proposals:
    """The proposals of one image, best first: boxes (R, 4) float32 px of the model's input, logits (R,)."""

    boxes: Tensor
    objectness: Tensor


class RpnHead(nn.Module):
    """3x3 convolutions shared by two 1x1 ones: objectness logits and box deltas of each anchor."""

    def __init__(self, config: Rpn, in_channels: int, num_anchors: int) -> None:
        super().__init__()
        self.conv, channels = _hidden_layers(config.conv_dims, in_channels)
        self.objectness_logits = nn.Conv2d(channels, num_anchors, kernel_size=1)
        self.anchor_deltas = nn.Conv2d(channels, num_anchors * 4, kernel_size=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init_normal(layer, std=0.01)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each level (N, C, H, W) its logits (N, A, H, W) and deltas (N, A*4, H, W)."""
        hidden = [self.conv(feature) for feature in features]
        return [self.objectness_logits(x) for x in hidden], [self.anchor_deltas(x) for x in hidden]


class RegionProposalNetwork(nn.Module):
    """Head, anchors, and the choice of proposals; ``train()`` and ``eval()`` switch the numbers chosen."""

    def __init__(self, config: Model, in_channels: int, strides: Mapping[str, int]) -> None:
        super().__init__()
        rpn = config.rpn
        self.in_features = rpn.in_features
        self.anchor_generator = AnchorGenerator(
            config.anchor_generator, [strides[name] for name in rpn.in_features]
        )
        self.rpn_head = RpnHead(rpn, in_channels, self.anchor_generator.num_anchors)
        self.box_coder = BoxCoder(rpn.bbox_reg_weights)
        self.nms_iou = rpn.nms_thresh
        self.min_size_px = config.proposal_generator.min_size
        self.top_k_before_nms = {True: rpn.pre_nms_topk_train, False: rpn.pre_nms_topk_test}
        self.top_k_after_nms = {True: rpn.post_nms_topk_train, False: rpn.post_nms_topk_test}

    def forward(self, features: Mapping[str, Tensor]) -> RpnOutput:
        """Predict objectness and deltas for the anchors of all levels."""
        return self.at_anchors(*self.rpn_head([features[name] for name in self.in_features]))

    def at_anchors(self, objectness: Sequence[Tensor], deltas: Sequence[Tensor]) -> RpnOutput:
        """Give each anchor what the head's maps (N, A, H, W) and (N, A*4, H, W), one a level, say of it."""
        return RpnOutput(
            anchors=self.anchor_generator(objectness),
            objectness=[x.permute(0, 2, 3, 1).flatten(1) for x in objectness],
            deltas=[_deltas_by_anchor(x) for x in deltas],
        )

    @torch.no_grad()
    def select(self, output: RpnOutput, image_sizes: Sequence[tuple[int, int]]) -> list[Proposals]:
        """Choose each image's proposals: the best of each level, clipped to (height, width), NMS by level.

        Raises:
            FloatingPointError: in training only, an output is not finite.
        """
        best = [self._best_of_level(*level) for level in zip(*_fields(output), strict=True)]
        boxes = torch.cat([level_boxes for level_boxes, _ in best], dim=1)
        logits = torch.cat([level_logits for _, level_logits in best], dim=1)
        counts = torch.tensor([level_logits.shape[1] for _, level_logits in best], device=boxes.device)
        levels = torch.arange(len(best), device=boxes.device).repeat_interleave(counts)
        return [
            self._without_duplicates(image_boxes, image_logits, levels, size)
            for image_boxes, image_logits, size in zip(boxes, logits, image_sizes, strict=True)
        ]

    def _best_of_level(self, anchors: Tensor, objectness: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
        """Decode the k most likely anchors of one level: boxes (N, k, 4) and logits (N, k)."""
        k = min(objectness.shape[1], self.top_k_before_nms[self.training])
        logits, chosen = objectness.float().topk(k, dim=1)
        chosen_deltas = deltas.gather(1, chosen[..., None].expand(-1, -1, 4))
        boxes = self.box_coder.decode(chosen_deltas.flatten(0, 1), anchors[chosen.flatten()])
        return boxes.view(-1, k, 4), logits

    def _without_duplicates(
        self, boxes: Tensor, logits: Tensor, levels: Tensor, image_size: tuple[int, int]
    ) -> Proposals:
        finite = boxes.isfinite().all(dim=1) & logits.isfinite()
        if self.training and not finite.all():
            raise FloatingPointError("the proposal network's outputs are not finite: training has diverged")
        boxes = clip(boxes, image_size)
        valid = finite & larger_than(boxes, self.min_size_px)
        boxes, logits, levels = boxes[valid], logits[valid], levels[valid]
        kept = batched_nms(boxes, logits, levels, self.nms_iou)[: self.top_k_after_nms[self.training]]
        return Proposals(boxes[kept], logits[kept])


def _hidden_layers(conv_dims: Sequence[int], in_channels: int) -> tuple[nn.Module, int]:
    """Return the hidden convolutions and their width; -1 keeps the width of what comes in.

    Detectron2 names one convolution ``conv`` and several ``conv.conv0``, ``conv.conv1`` ...
    """
    convs = nn.Sequential()
    channels = in_channels
    for i, dim in enumerate(conv_dims):
        out_channels = channels if dim == -1 else dim
        convs.add_module(f"conv{i}", Conv2d(channels, out_channels, 3, bias=True, relu=True))
        channels = out_channels
    return (convs[0] if len(convs) == 1 else convs), channels


def _deltas_by_anchor(deltas: Tensor) -> Tensor:
    """Turn (N, A*4, H, W) into (N, H*W*A, 4)."""
    n, _, height, width = deltas.shape
    return deltas.view(n, -1, 4, height, width).permute(0, 3, 4, 1, 2).flatten(1, 3)


def _fields(output: RpnOutput) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    return output.anchors, output.objectness, output.deltas
