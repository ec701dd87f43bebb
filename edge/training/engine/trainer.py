"""One iteration of training, and the state that carries over to the next."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edge.errors import TrainingDivergedError
from edge.training.engine.average import AveragedWeights
from edge.training.engine.choices import Optimizer, Precision
from edge.training.engine.config import TrainingConfig
from edge.training.engine.distributed import Worker
from edge.training.engine.learner import Learner, inputs_of
from edge.training.engine.solver import build_optimizer, clip_gradients, learning_rate, set_learning_rate
from edge.training.engine.transforms import Example
from edge.vision.native.config import Config
from edge.vision.native.rcnn import GeneralizedRCNN, build_model


class Trainer:
    """A model, its optimiser and its averaged weights.

    Args:
        config: adapted to the number of workers.
        learner: what is trained, on the worker's device.
        worker: this process among its fellows.
        optimizer: which one.
        decay: of the averaged weights.
    """

    def __init__(
        self, config: TrainingConfig, learner: Learner, worker: Worker, *, optimizer: Optimizer, decay: float
    ) -> None:
        self.config = config
        self.learner = learner
        self.worker = worker
        self.iteration = 0
        self._forward = _distributed(learner.train(), worker)
        self._optimizer = build_optimizer(learner, config.solver, optimizer)
        self.average = AveragedWeights(learner.model, decay)
        self._scaler = torch.amp.GradScaler("cuda", enabled=learner.precision == Precision.FLOAT16)
        self.rate = 0.0

    def step(self, examples: Sequence[Example], progress: float | None = None) -> dict[str, float]:
        """Learn from this worker's part of a batch; returns its losses and, as ``loss``, their sum.

        Args:
            examples: the part.
            progress: part of the schedule that has passed, where it runs by time.

        Raises:
            TrainingDivergedError: the loss is not finite.
        """
        solver = self.config.solver
        # The choice of anchors and proposals is a function of the iteration, as the examples are.
        torch.manual_seed(_mixed(self.config.seed, self.iteration, self.worker.rank))
        self.rate = learning_rate(solver, self.iteration, progress)
        set_learning_rate(self._optimizer, self.rate)
        losses = self._losses(examples)
        total = torch.stack(list(losses.values())).sum()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        values["loss"] = float(total.detach())
        if not total.isfinite():
            raise self._diverged(examples, f"losses {values}")
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(total))
        self._scaler.unscale_(self._optimizer)
        clip_gradients(self.learner, solver.clip_gradients)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.average.update()
        self.iteration += 1
        return values

    def averaged_model(self) -> GeneralizedRCNN:
        """Build a model of the averaged weights, ready for inference."""
        return model_of(self.config.model, self.average.state, self.worker.device)

    def state_dict(self) -> dict[str, Any]:
        """Everything of this that a resumed run needs."""
        return {
            "model": self.learner.model.state_dict(),
            "dense": self.learner.dense.state_dict() if self.learner.dense is not None else None,
            "optimizer": self._optimizer.state_dict(),
            "average": self.average.state_dict(),
            "scaler": self._scaler.state_dict(),
            "iteration": self.iteration,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; raises what torch raises if it is of another model or optimiser."""
        self.learner.model.load_state_dict(state["model"])
        if self.learner.dense is not None:
            self.learner.dense.load_state_dict(state["dense"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self._scaler.load_state_dict(state["scaler"])
        self.iteration = state["iteration"]

    def _losses(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        try:
            losses: dict[str, Tensor] = self._forward(*inputs_of(examples, self.worker.device))
        except FloatingPointError as error:
            raise self._diverged(examples, str(error)) from error
        return losses

    def _diverged(self, examples: Sequence[Example], what: str) -> TrainingDivergedError:
        names = ", ".join(example.name for example in examples)
        return TrainingDivergedError(
            f"iteration {self.iteration}, learning rate {self.rate:.3g}: the loss is not finite ({what}) "
            f"on the frames {names}; a lower SOLVER.BASE_LR, a longer SOLVER.WARMUP_ITERS or "
            "SOLVER.CLIP_GRADIENTS help"
        )


def model_of(config: Config, weights: dict[str, Tensor], device: torch.device) -> GeneralizedRCNN:
    """Build a model of the given weights, ready for inference."""
    model = build_model(config)
    model.load_state_dict(weights)
    return model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # torch's stubs lack it


def _distributed(learner: Learner, worker: Worker) -> nn.Module:
    if worker.is_alone:
        return learner
    device_ids = None
    if worker.device.type == "cuda":  # elsewhere torch has no synchronised norm, and SyncBN is BN
        device_ids = [worker.device.index]
        learner.synchronise_norms()
    # Batch norm keeps the running statistics of the first process, which are those that are saved.
    return DistributedDataParallel(learner, device_ids=device_ids)


def _mixed(*numbers: int) -> int:
    """One seed of several numbers, for torch takes one only."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % 2**63
    return mixed
