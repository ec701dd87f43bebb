"""Optimiser, learning rate and clipping, by the config's SOLVER."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import nn

from edge.training.engine.choices import Optimizer
from edge.training.engine.config import ClipGradients, Solver

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm)


def build_optimizer(model: nn.Module, solver: Solver, kind: Optimizer) -> torch.optim.Optimizer:
    """Group parameters by weight decay and by ``rate_factor``, which multiplies the learning rate."""
    grouped: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for parameter, weight_decay, rate_factor in _hyperparameters(model, solver):
        grouped[weight_decay, rate_factor].append(parameter)
    groups = [
        {"params": parameters, "weight_decay": weight_decay, "rate_factor": rate_factor}
        for (weight_decay, rate_factor), parameters in grouped.items()
    ]
    if kind == Optimizer.ADAMW:
        return torch.optim.AdamW(groups, lr=solver.base_lr, fused=True)
    return torch.optim.SGD(
        groups, lr=solver.base_lr, momentum=solver.momentum, nesterov=solver.nesterov, foreach=True
    )


def learning_rate(solver: Solver, iteration: int, progress: float | None = None) -> float:
    """Learning rate of an iteration, counted from 0.

    After the warm-up it follows the schedule; before, a constant or a line leads to its value at the
    warm-up's end.

    Args:
        solver: the config's section.
        iteration: counted from 0.
        progress: part of the schedule that has passed, where it runs by time; else iteration/MAX_ITER.
    """
    by_time = progress is not None
    now = iteration / solver.max_iter if progress is None else progress
    if iteration >= solver.warmup_iters:
        return solver.base_lr * _scheduled(solver, now)
    start = solver.warmup_factor * _scheduled(solver, 0.0)
    if solver.warmup_method == "constant":
        return solver.base_lr * start
    end = _scheduled(solver, now if by_time else solver.warmup_iters / solver.max_iter)
    return solver.base_lr * (start + iteration / solver.warmup_iters * (end - start))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the rate of all parameters, by each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = value * group["rate_factor"]


def clip_gradients(model: nn.Module, clip: ClipGradients) -> None:
    """Clip by value or norm of each parameter, or by the norm of all (``full_model``)."""
    if not clip.enabled:
        return
    parameters = [p for p in model.parameters() if p.grad is not None]
    if clip.clip_type == "value":
        nn.utils.clip_grad_value_(parameters, clip.clip_value)
    elif clip.clip_type == "full_model":
        nn.utils.clip_grad_norm_(parameters, clip.clip_value, clip.norm_type)
    else:
        for parameter in parameters:
            nn.utils.clip_grad_norm_(parameter, clip.clip_value, clip.norm_type)


def _hyperparameters(model: nn.Module, solver: Solver) -> Iterator[tuple[nn.Parameter, float, float]]:
    """Yield each trained parameter with its weight decay and the factor of its learning rate.

    A bias follows WEIGHT_DECAY_BIAS, if that is set, even where it is a norm's.
    """
    of_norm = solver.weight_decay if solver.weight_decay_norm is None else solver.weight_decay_norm
    bias_factor = 1.0 if solver.bias_lr_factor is None else solver.bias_lr_factor
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            decay = of_norm if isinstance(module, _NORMS) else solver.weight_decay
            if name == "bias" and solver.weight_decay_bias is not None:
                decay = solver.weight_decay_bias
            yield parameter, decay, bias_factor if name == "bias" else 1.0


def _scheduled(solver: Solver, progress: float) -> float:
    """The multiplier of BASE_LR when a part of the schedule has passed."""
    if solver.lr_scheduler_name == "WarmupCosineLR":
        end = solver.base_lr_end / solver.base_lr
        return end + 0.5 * (1.0 - end) * (1.0 + math.cos(math.pi * min(1.0, progress)))
    # Past a step by less than the rounding of iteration/MAX_ITER is past it.
    iteration = progress * solver.max_iter + 1e-6
    if solver.lr_scheduler_name == "WarmupMultiStepLR":
        return float(solver.gamma ** bisect_right(solver.steps, iteration))
    # WarmupStepWithFixedGammaLR: NUM_DECAYS steps of equal length after the first of the same.
    passed = math.floor(iteration * (solver.num_decays + 1) / solver.max_iter)
    return float(solver.gamma ** min(solver.num_decays, passed))
