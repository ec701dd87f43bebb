"""``precision = "auto"``: every part of a model computes in what this processor is quickest with."""

import copy
import time
from collections.abc import Callable

import structlog
import torch
from torch import Tensor, nn

from edge.vision.native.poolers import BoxPooler
from edge.vision.native.precision import FLOAT32, cast, describe, parts_of
from edge.vision.native.rcnn import GeneralizedRCNN

# A part loses digits only where that pays: it must become quicker by this factor.
WORTHWHILE = 1.1
# The best of several turns counts, for whatever else the machine does only ever slows one down.
TURNS = 3
# What parts are measured with: a frame of (height, width) px, and boxes; most frames have few masks.
FRAME_PX = (256, 512)
BOXES = {"roi_heads.box_head": 128, "roi_heads.mask_head": 8}

log = structlog.get_logger(__name__)


@torch.inference_mode()
def choose_precision(model: GeneralizedRCNN) -> str:
    """Cast the parts of a float32 model that become quicker by it, and say what the model computes in."""
    device = model.pixel_mean.device
    lower = _lower(device)
    chosen, told = {}, {}
    for name, given in _inputs(model).items():
        before = model.get_submodule(name)
        after = copy.deepcopy(before)
        cast(after, lower)
        seconds, seconds_lower = _best_seconds(before, after, given, _clock(device))
        chosen[name] = lower if seconds > WORTHWHILE * seconds_lower else FLOAT32
        if chosen[name] == FLOAT32:
            cast(before, FLOAT32)  # the part before it may not be
        else:
            model.set_submodule(name, after)
        told[name.rpartition(".")[2]] = f"{1e3 * seconds:.1f} ms, {lower} {1e3 * seconds_lower:.1f} ms"
    log.info("precision chosen", precision=describe(chosen), **told)
    return describe(chosen)


def _lower(device: torch.device) -> str:
    """What is worth a trial: bfloat16, which has float32's range, unless a GPU only has float16."""
    is_old = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return "float16" if is_old else "bfloat16"


def _inputs(model: GeneralizedRCNN) -> dict[str, Tensor | list[Tensor]]:
    """What each part is called with, by its name."""
    features = model.backbone(_noise(model, 1, 3, *FRAME_PX))
    inputs: dict[str, Tensor | list[Tensor]] = {}
    for name in parts_of(model):
        if name == "backbone":
            inputs[name] = _noise(model, 1, 3, *FRAME_PX)
        elif name in BOXES:
            pooler = model.get_submodule(f"{name.removesuffix('head')}pooler")
            assert isinstance(pooler, BoxPooler)  # noqa: S101 - modules are known by their names alone
            side = pooler.resolution
            inputs[name] = _noise(model, BOXES[name], model.backbone.out_channels, side, side)
        else:
            inputs[name] = [features[level] for level in model.proposal_generator.in_features]
    return inputs


def _noise(model: GeneralizedRCNN, *shape: int) -> Tensor:
    noise = torch.randn(shape, device=model.pixel_mean.device)
    return noise.contiguous(memory_format=torch.channels_last)


def _clock(device: torch.device) -> Callable[[], float]:
    """A clock in seconds: on a CPU of this thread alone, so that a model at work beside it does not count."""
    if device.type != "cuda":
        return time.thread_time

    def now() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def _best_seconds(
    one: nn.Module, other: nn.Module, given: Tensor | list[Tensor], clock: Callable[[], float]
) -> tuple[float, float]:
    """Let two forms of a part run in turn; a cascade's first stage speaks for all."""
    best = [float("inf")] * 2
    for _ in range(1 + TURNS):
        for i, part in enumerate((one, other)):
            called = part[0] if isinstance(part, nn.ModuleList) else part
            started = clock()
            called(given)
            best[i] = min(best[i], clock() - started)
    return best[0], best[1]
