"""What each part of a network gets to see on frames: to calibrate it by, and to compare it on."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from edge.vision.export.parts import Part
from edge.vision.exported.layout import TRUNK
from edge.vision.native.config import Config
from edge.vision.native.preprocess import resized_size, to_input
from edge.vision.native.rcnn import GeneralizedRCNN, ImageBatch
from edge.vision.runtime import Image

# Boxes of a frame that a head is looked at with: enough to see all scales, and 100 frames fit into memory.
BOXES_PER_FRAME = 48


def batch_of(network: GeneralizedRCNN, config: Config, frame: Image) -> ImageBatch:
    """Bring one frame to what the network sees."""
    size = resized_size(frame.shape[0], frame.shape[1], config.input)
    return network.batch([to_input(frame, size, rgb=config.input.format == "RGB")])


def pixels_of(batch: ImageBatch) -> Tensor:
    """Return the batch as the trunk takes it, (N, H, W, 3)."""
    return batch.pixels.permute(0, 2, 3, 1)


@torch.inference_mode()
def part_inputs(
    network: GeneralizedRCNN, config: Config, parts: Sequence[Part], frames: Sequence[Image]
) -> Iterator[dict[str, Tensor]]:
    """Run frames one by one; return for each the input of each part, by name.

    Thresholds play no part: the mask head gets to see the most likely boxes of a clean frame, too. Of the
    boxes of a frame, some are taken, evenly over their ranks.
    """
    thresholds = network.roi_heads.score_thresholds.clone()
    network.roi_heads.score_thresholds.zero_()
    seen: dict[str, Tensor] = {}
    hooks = [
        part.module.register_forward_pre_hook(_recorder(part.name, seen))
        for part in parts
        if part.name != TRUNK
    ]
    try:
        for frame in frames:
            seen.clear()
            batch = batch_of(network, config, frame)
            network(batch)
            yield {TRUNK: pixels_of(batch), **{name: _some(x) for name, x in seen.items()}}
    finally:
        network.roi_heads.score_thresholds.copy_(thresholds)
        for hook in hooks:
            hook.remove()


def _recorder(name: str, seen: dict[str, Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def record(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[name] = inputs[0]

    return record


def _some(rows: Tensor) -> Tensor:
    step = max(1, -(-len(rows) // BOXES_PER_FRAME))
    return rows[::step].clone()
