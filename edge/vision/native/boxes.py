"""Boxes as (N, 4) float32 tensors of x0 y0 x1 y1, and the deltas that move one box onto another."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# exp() of more would blow a 16 px anchor up beyond a 1000 px image (Detectron's heuristic).
MAX_LOG_SCALE = math.log(1000.0 / 16)


@dataclass(frozen=True, slots=True)
class BoxCoder:
    """R-CNN's box coding (https://arxiv.org/abs/1311.2524, appendix C).

    (dx, dy) shift the centre in box sizes, (dw, dh) are logarithms of the change in width and height.
    ``weights`` multiply the four deltas when they are encoded, so that training targets have unit variance.
    """

    weights: tuple[float, float, float, float]

    def encode(self, sources: Tensor, targets: Tensor) -> Tensor:
        """Return the deltas (N, 4) that move source boxes (N, 4), none of them empty, onto targets (N, 4)."""
        widths, heights, center_x, center_y = _center_form(sources)
        target_widths, target_heights, target_x, target_y = _center_form(targets)
        wx, wy, ww, wh = self.weights
        return torch.stack(
            (
                wx * (target_x - center_x) / widths,
                wy * (target_y - center_y) / heights,
                ww * torch.log(target_widths / widths),
                wh * torch.log(target_heights / heights),
            ),
            dim=1,
        )

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """Apply deltas (N, K*4), K predictions for each box (N, 4), in float32; returns (N, K*4)."""
        deltas = deltas.float()
        widths, heights, center_x, center_y = (part[:, None] for part in _center_form(boxes.float()))
        wx, wy, ww, wh = self.weights
        x = deltas[:, 0::4] / wx * widths + center_x
        y = deltas[:, 1::4] / wy * heights + center_y
        half_width = 0.5 * (torch.exp((deltas[:, 2::4] / ww).clamp(max=MAX_LOG_SCALE)) * widths)
        half_height = 0.5 * (torch.exp((deltas[:, 3::4] / wh).clamp(max=MAX_LOG_SCALE)) * heights)
        decoded = torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), dim=-1)
        return decoded.view(deltas.shape)


def clip(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Clip boxes (..., 4) to an image of (height, width) px."""
    height, width = image_size
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack(
        (x0.clamp(0, width), y0.clamp(0, height), x1.clamp(0, width), y1.clamp(0, height)), dim=-1
    )


def larger_than(boxes: Tensor, size: float) -> Tensor:
    """Return (N,) bool: both sides are longer than ``size`` px."""
    return (boxes[:, 2] - boxes[:, 0] > size) & (boxes[:, 3] - boxes[:, 1] > size)


def _center_form(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    widths = boxes[:, 2] - boxes[:, 0]
    heights = boxes[:, 3] - boxes[:, 1]
    return widths, heights, boxes[:, 0] + 0.5 * widths, boxes[:, 1] + 0.5 * heights
