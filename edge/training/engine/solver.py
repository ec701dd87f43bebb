"""Optimiser, learning rate and averaged weights, by the config's SOLVER."""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import UnsupportedModelError
from edge.training.engine.config import Solver

OPTIMIZERS = ("sgd", "adamw")
_NORMS = (nn.BatchNorm2d, nn.GroupNorm)


def build_optimizer(model: nn.Module, solver: Solver, name: str) -> torch.optim.Optimizer:
    """SGD as Detectron2's, or AdamW, which takes fewer iterations; norms have their own decay."""
    groups = [
        {"params": list(_parameters(model, of_norms=False)), "weight_decay": solver.weight_decay},
        {"params": list(_parameters(model, of_norms=True)), "weight_decay": solver.weight_decay_norm},
    ]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=solver.base_lr)
    return torch.optim.SGD(groups, lr=solver.base_lr, momentum=solver.momentum, nesterov=solver.nesterov)


def learning_rate(solver: Solver, iteration: int) -> float:
    """Learning rate of an iteration, counted from 0.

    After the warm-up it follows the schedule; before, a constant or a line leads to its value
    at the warm-up's end.
    """
    if iteration >= solver.warmup_iters:
        return _scheduled(solver, iteration)
    start = solver.warmup_factor * _scheduled(solver, 0)
    if solver.warmup_method == "constant":
        return start
    share = iteration / solver.warmup_iters
    return start + share * (_scheduled(solver, solver.warmup_iters) - start)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = value


def clip_gradients(model: nn.Module, solver: Solver) -> None:
    """Clip by value or norm of each parameter, or by the norm of all (``full_model``).

    Raises:
        UnsupportedModelError: another CLIP_TYPE.
    """
    clip = solver.clip_gradients
    if not clip.enabled:
        return
    parameters = [p for p in model.parameters() if p.grad is not None]
    if clip.clip_type == "full_model":
        nn.utils.clip_grad_norm_(parameters, clip.clip_value, clip.norm_type)
    elif clip.clip_type == "norm":
        for parameter in parameters:
            nn.utils.clip_grad_norm_(parameter, clip.clip_value, clip.norm_type)
    elif clip.clip_type == "value":
        nn.utils.clip_grad_value_(parameters, clip.clip_value)
    else:
        raise UnsupportedModelError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE: {clip.clip_type} is not supported; "
            "supported: value, norm, full_model"
        )


class AveragedWeights:
    """Exponential moving average of a model's state; it follows quickly at first, then with ``decay``."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self._decay = decay
        self._updates = 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, model: nn.Module) -> None:
        """Take one more iteration into the average."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        current = model.state_dict()
        floats = [name for name, value in self.state.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.state[name] for name in floats], [current[name] for name in floats], 1.0 - decay
        )

    def state_dict(self) -> dict[str, object]:
        """Return what ``load_state_dict`` takes."""
        return {"updates": self._updates, "state": self.state}

    def load_state_dict(self, saved: dict[str, object]) -> None:
        """Go on from a checkpoint."""
        self._updates = int(saved["updates"])  # type: ignore[call-overload] # plain checkpoint values
        state = saved["state"]
        if isinstance(state, dict):
            self.state.update(state)


def _parameters(model: nn.Module, *, of_norms: bool) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, _NORMS) == of_norms:
            yield from (p for p in module.parameters(recurse=False) if p.requires_grad)


def _scheduled(solver: Solver, iteration: int) -> float:
    if solver.lr_scheduler_name == "WarmupCosineLR":
        progress = min(1.0, iteration / solver.max_iter)
        span = solver.base_lr - solver.base_lr_end
        return float(solver.base_lr_end + 0.5 * span * (1.0 + np.cos(np.pi * progress)))
    return float(solver.base_lr * solver.gamma ** bisect_right(solver.steps, iteration))
