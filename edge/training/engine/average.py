"""Exponential moving average of a model's weights."""

from typing import Any

import torch
from torch import Tensor, nn


class AveragedWeights:
    """The average of a model's state; it follows quickly at first, then with ``decay``.

    With a ``decay`` of 0 it is the state of the last iteration.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        # Optimisers and load_state_dict write into these very tensors.
        self._live = {name: value.detach() for name, value in model.state_dict().items()}
        self.state = {name: value.clone() for name, value in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take one more iteration into the average."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        averaged, live = self._floats(self.state), self._floats(self._live)
        if decay:
            torch._foreach_lerp_(averaged, live, 1.0 - decay)
        else:
            torch._foreach_copy_(averaged, live)

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes."""
        return {"updates": self._updates, "state": self.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._updates = int(saved["updates"])
        for name, value in saved["state"].items():
            self.state[name].copy_(value)

    @staticmethod
    def _floats(state: dict[str, Tensor]) -> list[Tensor]:
        return [value for value in state.values() if value.is_floating_point()]
