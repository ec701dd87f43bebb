"""What a run tells: metrics.jsonl, TensorBoard, and the operator's terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

METRICS_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


class RunLog:
    """The files of one run; what was written after the iteration that it goes on from is taken back.

    Args:
        folder: the run's.
        first: the iterations that are done already.
        last: the iterations that are to be done in all.
    """

    def __init__(self, folder: Path, *, first: int, last: int) -> None:
        self._console = Console()
        self._metrics = folder / METRICS_FILE
        _cut(self._metrics, first)
        self._board = self._tensorboard(folder / TENSORBOARD_FOLDER, first)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=last, completed=first, state="")

    def __enter__(self) -> Self:
        """Show the progress bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        self._bar.stop()
        if self._board is not None:
            self._board.close()

    def advance(self, iteration: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=iteration)

    def say(self, text: str) -> None:
        """Tell the operator."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def training(self, iteration: int, values: Mapping[str, float]) -> None:
        """Log losses, learning rate and seconds per iteration."""
        self._write({"iteration": iteration} | {name: _short(value) for name, value in values.items()})
        self._draw("training", iteration, values)
        shown = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        if self._console.is_terminal:
            state = f"loss {values['loss']:.3f}  lr {values['lr']:.2g}  {values['seconds']:.2f} s"
            self._bar.update(self._task, state=state)
        else:
            self.say(f"iteration {iteration}  {shown}")

    def validation(self, iteration: int, name: str, record: Mapping[str, Any]) -> None:
        """Log what validation found out about one set."""
        self._write({"iteration": iteration, "validation": name, **record})
        self._draw(f"validation {name}", iteration, record)
        shown = "  ".join(f"{key} {value}" for key, value in record.items())
        self.say(f"iteration {iteration}  validation {name}: {shown}")

    def _write(self, record: Mapping[str, Any]) -> None:
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _draw(self, group: str, iteration: int, values: Mapping[str, Any]) -> None:
        if self._board is None:
            return
        for name, value in values.items():
            if isinstance(value, float):
                self._board.add_scalar(f"{group}/{name}", value, iteration)

    def _tensorboard(self, folder: Path, first: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
        except ImportError:
            self.say(
                "no TensorBoard: pip install 'stripsight[training]' brings it; metrics.jsonl has the same"
            )
            return None
        return SummaryWriter(str(folder), purge_step=first + 1 if first else None)


def _cut(metrics: Path, iteration: int) -> None:
    """Drop the lines of iterations that will be done again."""
    if not metrics.exists():
        return
    lines = metrics.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _iteration(line) <= iteration]
    metrics.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):  # a line that was being written when the machine stopped
        return float("inf")


def _short(value: float) -> float:
    """Six digits tell losses apart, and files stay readable."""
    return float(f"{value:.6g}")
