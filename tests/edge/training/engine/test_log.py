"""The log of a run."""

import json
import sys
from pathlib import Path

import pytest

from edge.training.engine.log import METRICS_FILE, RunLog


def test_lines_of_iterations_that_come_again_are_taken_back(tmp_path: Path) -> None:
    """After a crash, the log goes on at the checkpoint's iteration; a half-written line is dropped."""
    lines = [json.dumps({"iteration": i, "loss": 1.0}) for i in (20, 40, 60)]
    (tmp_path / METRICS_FILE).write_text("\n".join([*lines, '{"iteration": 8']))
    with RunLog(tmp_path, first=40, last=100) as log:
        log.training(60, {"loss": 0.51234567, "seconds": 0.1, "lr": 0.01})
    kept = [json.loads(line) for line in (tmp_path / METRICS_FILE).read_text().splitlines()]
    assert [line["iteration"] for line in kept] == [20, 40, 60]
    assert kept[-1] == {"iteration": 60, "loss": 0.512346, "seconds": 0.1, "lr": 0.01}


def test_without_tensorboard_the_log_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with RunLog(tmp_path, first=0, last=10) as log:
        log.validation(10, "steel", {"dice": 0.9, "found": [0.5]})
    assert "stripsight[training]" in capsys.readouterr().out
    assert json.loads((tmp_path / METRICS_FILE).read_text()) == {
        "iteration": 10,
        "validation": "steel",
        "dice": 0.9,
        "found": [0.5],
    }
