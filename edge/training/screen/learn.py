"""The screen learns which cells of a frame show a defect, and which frames do."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edge.errors import TrainingDivergedError
from edge.training.dataset import LabelledFrame
from edge.training.engine.augment import vary_picture
from edge.training.engine.choices import Augmentation
from edge.training.samples import Sample, flip_sample
from edge.training.synthetic.chance import chance
from edge.vision.screen.network import CELL_PX, ScreenNetwork, frame_logits, to_batch

_BATCH_FRAMES = 8
_LEARNING_RATE, _WEIGHT_DECAY = 3e-3, 1e-2
_WARMUP_PART = 0.03
# A cell in ten shows a defect, and none must be overlooked: those that do weigh more.
_WEIGHT_OF_DEFECTS = 3.0
_SEED = 1

Progress = Callable[[float, float], None]  # part of the time that has passed, and the loss


def learn(
    network: ScreenNetwork,
    frames: Sequence[LabelledFrame],
    *,
    minutes: float,
    device: torch.device,
    progress: Progress,
) -> int:
    """Train for some minutes; returns the number of iterations.

    Raises:
        CorruptImageError: a picture cannot be read.
        TrainingDivergedError: the loss is not finite.
    """
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    rng = np.random.default_rng(_SEED)
    started_at, iteration = time.monotonic(), 0
    while (part := (time.monotonic() - started_at) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * _schedule(part)
        loss = _loss(network, _drawn(frames, rng), device)
        if not math.isfinite(float(loss.detach())):
            raise TrainingDivergedError(f"iteration {iteration}: the loss is {float(loss.detach())}")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # of torch
        optimizer.step()
        iteration += 1
        progress(part, float(loss.detach()))
    network.eval()
    return iteration


def cell_targets(sample: Sample) -> Tensor:
    """(H/16, W/16) bool, sides rounded up: whether a cell shows part of a defect."""
    shown = np.zeros(sample.image.shape, np.float32)
    for instance in sample.instances:
        x0, y0, x1, y1 = instance.box_px
        shown[y0:y1, x0:x1] += instance.mask.decode()
    cells = functional.max_pool2d(torch.from_numpy(shown)[None], CELL_PX, ceil_mode=True)
    return cells[0] > 0


def _schedule(part: float) -> float:
    """Warm up, then fall along a half cosine."""
    return min(1.0, part / _WARMUP_PART) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))


def _drawn(frames: Sequence[LabelledFrame], rng: np.random.Generator) -> list[Sample]:
    """Draw frames of one size: as many as make a batch, and of the size of the first."""
    first = frames[int(rng.integers(len(frames)))]
    chosen = [first]
    for _ in range(4 * _BATCH_FRAMES):
        other = frames[int(rng.integers(len(frames)))]
        if len(chosen) < _BATCH_FRAMES and (other.width_px, other.height_px) == (
            first.width_px,
            first.height_px,
        ):
            chosen.append(other)
    return [_varied(frame.read(), rng) for frame in chosen]


def _varied(sample: Sample, rng: np.random.Generator) -> Sample:
    flipped = flip_sample(sample, across=chance(0.5, rng), along=chance(0.5, rng))
    return vary_picture(flipped, Augmentation.STRONG, rng)


def _loss(network: ScreenNetwork, samples: Sequence[Sample], device: torch.device) -> Tensor:
    """Cross-entropy of cells and of whole frames."""
    cells = network(to_batch([sample.image for sample in samples]).to(device))
    targets = torch.stack([cell_targets(sample) for sample in samples]).float().to(device)
    weight = torch.tensor(_WEIGHT_OF_DEFECTS, device=device)
    of_cells = functional.binary_cross_entropy_with_logits(cells, targets, pos_weight=weight)
    shown = targets.flatten(1).amax(dim=1)
    return of_cells + 0.2 * functional.binary_cross_entropy_with_logits(frame_logits(cells), shown)
