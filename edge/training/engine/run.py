"""A run: its folder, what it begins with, the loop, and the model folder at the end."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from edge.errors import ModelFileError, ModelMismatchError, SettingsError
from edge.training.engine import checkpoint
from edge.training.engine.choices import Optimizer, Precision
from edge.training.engine.config import TrainingConfig, read_training_config, scaled_to
from edge.training.engine.distributed import Worker, joined
from edge.training.engine.learner import DTYPES, Learner
from edge.training.engine.loader import BatchNumbers, batches, processes_for
from edge.training.engine.log import RunLog
from edge.training.engine.loop import Clock, Hooks, LossWindow, Stop, run_loop, stop_on_signals
from edge.training.engine.sources import DataOptions, TrainingData, build_stream, open_sets
from edge.training.engine.trainable import check_trainable
from edge.training.engine.trainer import Trainer
from edge.training.engine.validation import judge
from edge.training.model_writer import copy_config, half_precision, write_folder
from edge.vision.model_folder import CONFIG_FILE

# Where nothing was validated: not few alarms, not many.
DEFAULT_DECAY = 0.998
UNTUNED_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What the command is asked beyond Detectron2's config.

    ``init``: see ``checkpoint.initial_weights_file``; ``minutes``: length of the schedule, for MAX_ITER;
    ``decay``: of the averaged weights, 0 for none; ``precision``: None leaves it to SOLVER.AMP.
    """

    config: Path
    out: Path
    data: DataOptions
    optimizer: Optimizer = Optimizer.SGD
    dense_weight: float = 0.0
    init: str | None = None
    minutes: float | None = None
    decay: float = DEFAULT_DECAY
    device: str = "auto"
    precision: Precision | None = None
    threads: int = 1


def train(options: TrainingOptions) -> int:
    """Train, from the folder's last checkpoint if there is one.

    Returns:
        0 when the schedule has ended; the number of the signal that stopped the run before that.

    Raises:
        ConfigurationError: config, data, weights or options are wrong.
        TrainingDivergedError: the loss is not finite.
    """
    torch.set_num_threads(options.threads)
    config = read_training_config(options.config)
    check_trainable(config.model, source=str(options.config))
    with joined(options.device) as worker:
        config = _for_workers(config, worker)
        data = open_sets(options.data, config)
        with stop_on_signals() as stop:
            return Run(options, config, data, worker).go(stop)


class Run:
    """One process's part of a run; the first one writes the files."""

    def __init__(
        self, options: TrainingOptions, config: TrainingConfig, data: TrainingData, worker: Worker
    ) -> None:
        self._options = options
        self._config = config
        self._data = data
        self._worker = worker
        self._folder = options.out
        self._best: dict[str, Any] = {}
        self._validated = -1  # the last iteration that was judged
        self._window = LossWindow()
        self._clock = Clock(options.minutes)
        self._notes = [f"{key}: is in the config and not read" for key in config.unread]
        self._notes += data.notes
        self._precision = _precision(options, config, worker)
        self._stream = build_stream(data, options.data, config)
        self._trainer = self._prepared_trainer()
        if worker.is_first:
            self._folder.mkdir(parents=True, exist_ok=True)
            copy_config(options.config, self._folder / CONFIG_FILE)

    def go(self, stop: Stop) -> int:
        """Train to the end or to a signal; returns the signal's number, or 0."""
        trainer, worker = self._trainer, self._worker
        numbers = BatchNumbers(
            self._config.solver.ims_per_batch,
            first=trainer.iteration,
            rank=worker.rank,
            world_size=worker.world_size,
        )
        processes = processes_for(self._config.dataloader.num_workers, worker.world_size)
        drawn = batches(self._stream, numbers, processes)
        if not worker.is_first:
            silent = Hooks(log=_nothing, advance=_nothing, save=_nothing, validate=_nothing)
            run_loop(trainer, drawn, self._clock, self._window, stop=stop, hooks=silent)
            return stop.signal_number
        with RunLog(self._folder, first=trainer.iteration, last=self._config.solver.max_iter) as log:
            for note in self._notes:
                log.say(note)
            hooks = Hooks(
                log=log.training,
                advance=log.advance,
                save=self._save,
                validate=partial(self._validate, log),
            )
            if run_loop(trainer, drawn, self._clock, self._window, stop=stop, hooks=hooks):
                self._finish(log)
                return 0
            log.say(f"stopped after iteration {trainer.iteration}; the same command goes on from there")
            return stop.signal_number

    def _prepared_trainer(self) -> Trainer:
        options, worker = self._options, self._worker
        torch.manual_seed(self._config.seed)
        learner = Learner(self._config, dense_weight=options.dense_weight, precision=self._precision)
        last = self._folder / checkpoint.LAST
        if not last.exists():
            self._initialise(learner)
        learner.to(worker.device)
        trainer = Trainer(self._config, learner, worker, optimizer=options.optimizer, decay=options.decay)
        if last.exists():
            self._resume(trainer, last)
        return trainer

    def _initialise(self, learner: Learner) -> None:
        options = self._options
        model = self._config.model.model
        file = checkpoint.initial_weights_file(options.init, model, options.config)
        if file is None:
            self._notes.append("begins with fresh weights")
            if frozen := model.backbone.freeze_at:
                self._notes.append(
                    f"  MODEL.BACKBONE.FREEZE_AT: {frozen} keeps its first stages from learning; 0 lets them"
                )
            return
        weights = checkpoint.read_initial(file, model)
        fresh = checkpoint.load_fitting(learner.model, weights, source=file)
        self._notes.append(
            f"begins with {file}" + (f"; {len(fresh)} parameters stay fresh:" if fresh else "")
        )
        self._notes.extend(f"  {name}" for name in fresh)

    def _resume(self, trainer: Trainer, last: Path) -> None:
        state = checkpoint.load(last, self._worker.device)
        self._check_same_run(state, last)
        try:
            trainer.load_state_dict(state["trainer"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:  # as torch sees fit
            reason = str(error).split("\n", 1)[0]
            raise ModelMismatchError(
                f"{last}: is of another model or optimizer: {reason}; another run needs another --out"
            ) from error
        self._best, self._validated = state["best"], state["validated"]
        self._window = LossWindow.of(state["window"])
        self._clock = Clock(self._options.minutes, spent_s=state["spent_s"])
        self._notes.append(f"goes on from iteration {trainer.iteration}")

    def _check_same_run(self, state: dict[str, Any], last: Path) -> None:
        if "trainer" not in state:
            raise ModelFileError(f"{last}: holds weights, but no run to go on with; use it with --init")
        now = self._data.identity()
        for what, before in state.get("data", now).items():
            if now[what] != before:
                raise SettingsError(f"{last}: its run has other {what}; another run needs another --out")

    def _save(self) -> None:
        state = {
            # Detectron2 and --init read the weights where they expect them.
            "model": self._trainer.learner.model.state_dict(),
            "trainer": self._trainer.state_dict(),
            "best": self._best,
            "validated": self._validated,
            "window": self._window.state_dict(),
            "spent_s": self._clock.now_s(),
            "data": self._data.identity(),
        }
        checkpoint.save(state, self._folder / checkpoint.LAST)

    def _validate(self, log: RunLog) -> None:
        """Judge the averaged weights; keep them if they are the best so far."""
        self._validated = iteration = self._trainer.iteration
        thresholds = [UNTUNED_THRESHOLD] * len(self._data.class_names)
        score = float(iteration)  # where nothing can be judged the latest is the best
        if self._data.judge:
            model = self._trainer.averaged_model()
            judgement = judge(model, self._config.model.input, self._data.judge, DTYPES[self._precision])
            for name, verdict in judgement.verdicts.items():
                log.validation(iteration, name, verdict.record())
            thresholds = judgement.thresholds
            score = judgement.score if math.isfinite(judgement.score) else score
        if not self._best or score >= self._best["score"]:
            self._best = {"score": score, "iteration": iteration, "thresholds": thresholds}
            weights = self._trainer.average.state
            checkpoint.save({"model": weights, **self._best}, self._folder / checkpoint.BEST)

    def _finish(self, log: RunLog) -> None:
        """Judge once more, and make a model folder of the best weights."""
        if self._validated != self._trainer.iteration:
            self._validate(log)
        self._save()
        best = checkpoint.load(self._folder / checkpoint.BEST, torch.device("cpu"))
        folder = self._folder / checkpoint.MODEL_FOLDER
        write_folder(
            folder,
            self._folder / CONFIG_FILE,
            half_precision(best["model"]),
            name=self._folder.resolve().name,
            class_names=self._data.class_names,
            thresholds=best["thresholds"],
            frame_px=self._data.frame_px,
        )
        log.say(f"{folder}: the model of iteration {best['iteration']}")
        if not self._data.judge:
            log.say(f"its score thresholds are {UNTUNED_THRESHOLD}: there was no validation to tune them on")


def _for_workers(config: TrainingConfig, worker: Worker) -> TrainingConfig:
    config = scaled_to(config, worker.world_size)
    if config.solver.ims_per_batch % worker.world_size:
        raise SettingsError(
            f"SOLVER.IMS_PER_BATCH: {config.solver.ims_per_batch} pictures cannot be shared equally by "
            f"{worker.world_size} processes"
        )
    return config


def _precision(options: TrainingOptions, config: TrainingConfig, worker: Worker) -> Precision:
    """SOLVER.AMP is float16 on GPUs, as Detectron2's, and bfloat16 on CPUs, which have nothing shorter."""
    on_cpu = worker.device.type == "cpu"
    if options.precision == Precision.FLOAT16 and on_cpu:
        raise SettingsError("--precision float16: is for GPUs; CPUs train in float32 or bfloat16")
    if options.precision is not None:
        return options.precision
    if not config.solver.amp.enabled:
        return Precision.FLOAT32
    return Precision.BFLOAT16 if on_cpu else Precision.FLOAT16


def _nothing(*_: object) -> None:
    return
