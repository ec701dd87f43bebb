"""Iteration after iteration until the schedule ends or somebody asks to stop."""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from edge.training.engine.distributed import maximum, mean
from edge.training.engine.trainer import Trainer
from edge.training.engine.transforms import Example

LOG_PERIOD = 20  # iterations, as Detectron2's
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """The number of the signal that asked for an end, once one has."""

    signal_number: int = 0


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Ctrl-C or SIGTERM asks for an end after the iteration; a second one does what it always did."""
    stop = Stop()
    former = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        stop.signal_number = number
        restore()

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()


@dataclass(slots=True)
class Clock:
    """How far the schedule is: by time if there are minutes to fill, else by iterations.

    ``spent_s`` is what earlier parts of an interrupted run have used up.
    """

    minutes: float | None = None
    spent_s: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        """Seconds of training so far."""
        return self.spent_s + time.monotonic() - self._since

    def progress(self) -> float | None:
        """Part of the minutes that has passed, 0 to 1; None without any."""
        return None if self.minutes is None else min(1.0, self.now_s() / (60 * self.minutes))


@dataclass(slots=True)
class LossWindow:
    """Means since the last line of the log."""

    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    count: int = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Take one iteration in."""
        self.count += 1
        for name, value in values.items():
            self.sums[name] += value

    def means(self) -> dict[str, float]:
        """Return the means, in the order of the names."""
        return {name: self.sums[name] / self.count for name in sorted(self.sums)}

    def state_dict(self) -> dict[str, Any]:
        """Return what ``of`` takes."""
        return {"sums": dict(self.sums), "count": self.count}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "LossWindow":
        """Go on with a window that a checkpoint has cut."""
        return cls(defaultdict(float, state["sums"]), state["count"])


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop calls beside training, in the first process only: by iteration and values."""

    log: Callable[[int, Mapping[str, float]], None]
    advance: Callable[[int], None]
    save: Callable[[], None]
    validate: Callable[[], None]


def run_loop(
    trainer: Trainer,
    batches: Iterator[Sequence[Example]],
    clock: Clock,
    window: LossWindow,
    *,
    stop: Stop,
    hooks: Hooks,
) -> bool:
    """Train until the schedule has ended, which is True, or until a signal, which is False.

    All processes take part in every step; they agree on time and end before each.
    """
    solver = trainer.config.solver
    while True:
        stopped, progress = _agreed(trainer, stop, clock)
        done = trainer.iteration >= solver.max_iter if progress is None else progress >= 1
        if stopped or done:
            if not done:
                hooks.save()
            return done
        started = time.monotonic()
        losses = trainer.step(next(batches), progress)
        window.add(losses | {"seconds": time.monotonic() - started})
        iteration = trainer.iteration
        hooks.advance(iteration)
        at_end = progress is None and iteration == solver.max_iter
        if iteration % LOG_PERIOD == 0 or at_end:
            _log(trainer, window, hooks)
        if trainer.config.eval_period and iteration % trainer.config.eval_period == 0 and not at_end:
            hooks.validate()
        if iteration % solver.checkpoint_period == 0 and not at_end:
            hooks.save()


def _agreed(trainer: Trainer, stop: Stop, clock: Clock) -> tuple[bool, float | None]:
    """Whether anybody was asked to stop, and the progress of whoever is ahead."""
    progress = clock.progress()
    asked, furthest = maximum(trainer.worker, [float(stop.signal_number), progress or 0.0])
    stop.signal_number = int(asked)
    return asked > 0, None if progress is None else furthest


def _log(trainer: Trainer, window: LossWindow, hooks: Hooks) -> None:
    means = window.means()
    shared = dict(zip(means, mean(trainer.worker, list(means.values())), strict=True))
    window.sums.clear()
    window.count = 0
    hooks.log(trainer.iteration, {**_loss_first(shared), "lr": trainer.rate})


def _loss_first(values: Mapping[str, float]) -> dict[str, float]:
    return {"loss": values["loss"], **values}
