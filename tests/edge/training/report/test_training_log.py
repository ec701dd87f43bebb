"""Reading what a run logged."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError
from edge.training.report.training_charts import smooth
from edge.training.report.training_log import read_training_log


def write(run: Path, records: Iterable[object], end: str = "") -> None:
    """Write a log whose last line may be half a line."""
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    (run / "metrics.jsonl").write_text(lines + end)


def test_losses_rate_and_pace_are_told(tmp_path: Path) -> None:
    """The sum comes first among the losses, and the pace is the median."""
    write(
        tmp_path,
        [
            {"iteration": 20, "loss_mask": 0.5, "loss": 2.0, "lr": 0.1, "seconds": 9.0},
            {"iteration": 40, "loss_mask": 0.4, "loss": 1.0, "lr": 0.2, "seconds": 1.0},
            {"iteration": 60, "loss_mask": 0.3, "loss": 0.9, "lr": 0.3, "seconds": 1.1},
        ],
    )
    log = read_training_log(tmp_path)
    assert list(log.losses) == ["loss", "loss_mask"]
    assert log.losses["loss"] == ([20, 40, 60], [2.0, 1.0, 0.9])
    assert log.learning_rate[1] == [0.1, 0.2, 0.3]
    assert log.seconds_per_iteration == 1.1
    assert log.iterations == 60


def test_the_log_of_detectron2_s_trainer_is_read(tmp_path: Path) -> None:
    """--engine detectron2 leaves its own file and names."""
    write(tmp_path, [{"iteration": 19, "total_loss": 2.0, "loss_cls": 1.5, "time": 0.5, "lr": 0.1}])
    (tmp_path / "metrics.jsonl").rename(tmp_path / "metrics.json")
    log = read_training_log(tmp_path)
    assert log.losses == {"loss": ([19], [2.0]), "loss_cls": ([19], [1.5])}
    assert log.seconds_per_iteration == 0.5


def test_validations_go_by_their_names(tmp_path: Path) -> None:
    """Each set has its own curve, its Dice of nothing and its best iteration."""
    write(
        tmp_path,
        [
            {"iteration": i, "validation": name, "frames": 9, "dice": dice, "dice_of_nothing": 0.5}
            for i, name, dice in (
                (10, "a", 0.6),
                (10, "b", 0.1),
                (20, "a", 0.9),
                (20, "b", 0.2),
                (30, "a", 0.8),
            )
        ],
    )
    first, second = read_training_log(tmp_path).validations
    assert (first.name, first.iterations, first.dice[first.best]) == ("a", [10, 20, 30], 0.9)
    assert (second.name, second.dice_of_nothing, second.frames) == ("b", 0.5, 9)


def test_a_resumed_run_forgets_what_it_does_again(tmp_path: Path) -> None:
    """What an interrupted run had told from the resumed iteration on is not mixed with what came of it."""
    write(tmp_path, [{"iteration": i, "loss": v} for i, v in ((10, 9), (20, 8), (30, 7), (20, 5), (30, 4))])
    assert read_training_log(tmp_path).losses["loss"] == ([10, 20, 30], [9, 5, 4])


def test_a_loss_that_is_no_number_is_a_gap(tmp_path: Path) -> None:
    """Infinities and NaN, as a run that diverges logs them, are left out of the curves."""
    write(
        tmp_path, [{"iteration": i, "loss": v} for i, v in ((1, 1.0), (2, float("nan")), (3, None), (4, 2.0))]
    )
    assert read_training_log(tmp_path).losses["loss"] == ([1, 4], [1.0, 2.0])


def test_the_last_line_may_be_half_written(tmp_path: Path) -> None:
    """A report of a run that is still training is possible."""
    write(tmp_path, [{"iteration": 1, "loss": 1.0}], end='{"iteration": 2, "lo')
    assert read_training_log(tmp_path).iterations == 1


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    """File and line stand in the error."""
    write(tmp_path, [{"loss": 1.0}, {"iteration": 2}])
    with pytest.raises(DatasetError, match=r"metrics\.jsonl:1: has no iteration"):
        read_training_log(tmp_path)


def test_a_folder_without_a_log_is_no_run(tmp_path: Path) -> None:
    """The file that was looked for stands in the error."""
    with pytest.raises(DatasetError, match=r"metrics\.jsonl: cannot be read"):
        read_training_log(tmp_path)


def test_smoothing_keeps_constants_and_length() -> None:
    """A running mean of equal numbers is that number, also at the ends."""
    assert smooth(np.full(7, 3.0), 2) == pytest.approx(np.full(7, 3.0))
    assert smooth(np.array([0.0, 3.0, 0.0]), 1) == pytest.approx([1.5, 1.0, 1.5])
