"""Train a model: ``python -m edge.training.engine.train --config config.yaml --out runs/x [--severstal DIR]``.

The config is Detectron2's. The run's folder gets ``metrics.jsonl``, ``last.pth`` (from which the same command
goes on) and ``best.pth`` (averaged weights of the best validation).
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from edge.training.data.severstal import held_out, read_frames
from edge.training.engine.config import TrainingConfig, read_training_config
from edge.training.engine.losses import training_losses
from edge.training.engine.solver import (
    OPTIMIZERS,
    AveragedWeights,
    build_optimizer,
    clip_gradients,
    learning_rate,
    set_learning_rate,
)
from edge.training.engine.stream import Example, TrainingStream
from edge.training.engine.validation import as_record, judge, synthetic_frames
from edge.training.samples import Sample
from edge.vision.native.rcnn import GeneralizedRCNN, ImageBatch, build_model

_WHOLE_FRAME_PX = (256, 1600)
_SYNTHETIC_VALIDATION_FRAMES = 48
_LOG_PERIOD = 20


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run writes, and what it is asked to do."""

    folder: Path
    config: TrainingConfig
    optimizer: str
    max_iter: int
    workers: int


class Trainer:
    """A model, its optimiser and its averaged weights, iteration by iteration."""

    def __init__(self, run: Run) -> None:
        self.config = run.config
        self.model = build_model(run.config.model).train().to(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.model, run.config.solver, run.optimizer)
        self.average = AveragedWeights(self.model)
        self.iteration = 0
        self.best = float("-inf")

    def step(self, examples: Sequence[Example]) -> dict[str, float]:
        """Learn from one batch; returns its losses."""
        set_learning_rate(self.optimizer, learning_rate(self.config.solver, self.iteration))
        batch = self.model.batch([example.image for example in examples])
        batch = ImageBatch(batch.pixels.contiguous(memory_format=torch.channels_last), batch.image_sizes)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.solver.amp.enabled):
            losses = training_losses(
                self.model, self.config.model.model, batch, [example.target for example in examples]
            )
        total = torch.stack(list(losses.values())).sum()
        if not total.isfinite():
            raise FloatingPointError(f"iteration {self.iteration}: the loss is not finite: {losses}")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        clip_gradients(self.model, self.config.solver)
        self.optimizer.step()
        self.average.update(self.model)
        self.iteration += 1
        return {name: float(loss.detach()) for name, loss in losses.items()} | {"loss": float(total.detach())}

    def averaged_model(self) -> GeneralizedRCNN:
        """Build a model of the averaged weights, ready for inference."""
        model = build_model(self.config.model)
        model.load_state_dict(self.average.state)
        return model.eval().to(memory_format=torch.channels_last)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "iteration": self.iteration,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.iteration = state["iteration"]
        self.best = state["best"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    config = read_training_config(options.config)
    run = Run(
        folder=options.out,
        config=config,
        optimizer=options.optimizer,
        max_iter=options.iterations or config.solver.max_iter,
        workers=options.workers,
    )
    frames = read_frames(options.severstal) if options.severstal else []
    train(
        run,
        learn=[frame for frame in frames if not held_out(frame.name)],
        keep=[frame for frame in frames if held_out(frame.name)],
    )


def train(run: Run, learn: Sequence[Sample], keep: Sequence[Sample]) -> Trainer:
    """Train until the schedule ends, from the folder's last checkpoint if there is one."""
    run.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(run.config.seed)
    trainer = Trainer(run)
    last = run.folder / "last.pth"
    if last.exists():
        trainer.load_state_dict(torch.load(last, weights_only=True))
    validation = {"synthetic": synthetic_frames(_SYNTHETIC_VALIDATION_FRAMES), "real": list(keep)}
    batches = _batches(run, learn, first=trainer.iteration)
    started, since = time.monotonic(), time.monotonic()
    while trainer.iteration < run.max_iter:
        losses = trainer.step(next(batches))
        if trainer.iteration % _LOG_PERIOD == 0:
            seconds = (time.monotonic() - since) / _LOG_PERIOD
            since = time.monotonic()
            _log(run, {"iteration": trainer.iteration, "seconds": round(seconds, 3), **_rounded(losses)})
        if _due(trainer.iteration, run.config.solver.checkpoint_period, run.max_iter):
            _save(trainer.state_dict(), last)
        if _due(trainer.iteration, run.config.eval_period, run.max_iter):
            _validate(run, trainer, validation)
            since = time.monotonic()
    _log(run, {"iteration": trainer.iteration, "minutes": round((time.monotonic() - started) / 60, 1)})
    return trainer


def _validate(run: Run, trainer: Trainer, validation: dict[str, list[Sample]]) -> None:
    """Judge the averaged weights; keep them if their gain in Dice over finding nothing is the best so far."""
    model = trainer.averaged_model()
    gains = []
    for name, samples in validation.items():
        if samples:
            figures, _ = judge(model, samples)
            gains.append(figures.total.dice - figures.total.dice_of_nothing)
            _log(run, {"iteration": trainer.iteration, "validation": name, **as_record(figures)})
    if sum(gains) > trainer.best:
        trainer.best = sum(gains)
        _save({"model": model.state_dict(), "iteration": trainer.iteration}, run.folder / "best.pth")


def _batches(run: Run, learn: Sequence[Sample], first: int) -> Iterator[list[Example]]:
    # A resumed run goes on with other samples, not with the first ones again.
    stream = TrainingStream(learn, run.config.crop_px or _WHOLE_FRAME_PX, seed=run.config.seed * 1000 + first)
    loader: DataLoader[Example] = DataLoader(
        stream,
        batch_size=run.config.solver.ims_per_batch,
        num_workers=run.workers,
        collate_fn=list,
        prefetch_factor=3 if run.workers else None,
        # A forked worker would inherit the locks of OpenCV's threads, and wait for them for ever.
        multiprocessing_context="spawn" if run.workers else None,
    )
    yield from loader


def _due(iteration: int, period: int, last: int) -> bool:
    return bool(period) and (iteration % period == 0 or iteration == last)


def _save(state: dict[str, Any], path: Path) -> None:
    """Write beside, then rename: an interruption leaves the former file whole."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.replace(path)


def _log(run: Run, record: dict[str, Any]) -> None:
    line = json.dumps(record)
    with (run.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _rounded(losses: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in losses.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge.training.engine.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="Detectron2's config.yaml")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; resumes what is in it")
    parser.add_argument("--severstal", type=Path, help="folder with train.csv, frames.csv; default: none")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw")
    parser.add_argument("--iterations", type=int, help="stop here; default: SOLVER.MAX_ITER")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples")
    return parser


if __name__ == "__main__":
    main()
