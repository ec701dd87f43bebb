"""Whole runs: from frames and a config to a model that is served."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from edge.errors import (
    DatasetError,
    ModelFileError,
    ModelMismatchError,
    OutputError,
    SettingsError,
    TrainingDivergedError,
)
from edge.training.data import open_dataset
from edge.training.engine import checkpoint, loop
from edge.training.engine.choices import Augmentation, Optimizer
from edge.training.engine.config import read_training_config
from edge.training.engine.distributed import Worker
from edge.training.engine.learner import Learner
from edge.training.engine.loader import BatchNumbers
from edge.training.engine.run import TrainingOptions, train
from edge.training.engine.sources import DataOptions, Share, build_stream, open_sets
from edge.training.engine.trainer import Trainer
from edge.training.engine.transforms import Example
from edge.vision.native.runtime import NativeRuntime

Yaml = Callable[..., Path]
Squares = Callable[..., Path]


def options(config: Path, out: Path, *data: Path, **changes: Any) -> TrainingOptions:
    """Options with plain data; others by name."""
    of_data = {
        name: changes.pop(name)
        for name in ("validation", "balance", "augmentation", "paste", "folds", "fold")
        if name in changes
    }
    chosen = DataOptions(data=tuple(Share(path) for path in data), **of_data)
    return TrainingOptions(config=config, out=out, data=chosen, **changes)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, without what a clock says."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def launch(command: Sequence[str]) -> None:
    """Run torchrun; whatever ends the test ends its processes too, which have sessions of their own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        told, _ = process.communicate()
    except BaseException:
        process.terminate()  # torchrun passes it on; it could not pass on a kill
        process.wait()
        raise
    assert process.returncode == 0, told.decode()


def test_the_loss_falls_and_a_model_comes_out_that_is_served(
    tmp_path: Path, training_yaml: Yaml, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything switched on: the folder of the run is complete, its model finds squares."""
    monkeypatch.setattr(loop, "LOG_PERIOD", 10)
    data = squares()
    config = training_yaml(**{"SOLVER.MAX_ITER": 30, "SOLVER.IMS_PER_BATCH": 4, "SOLVER.AMP.ENABLED": True})
    chosen = options(
        config,
        tmp_path / "run",
        data,
        validation=(data,),
        balance=True,
        augmentation=Augmentation.LIGHT,
        paste=Share(None, 0.2),
        dense_weight=1.0,
        optimizer=Optimizer.ADAMW,
        decay=0.9,
    )
    assert train(chosen) == 0
    lines = metrics(tmp_path / "run")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 3
    assert losses[-1] < 0.7 * losses[0]
    assert {
        "loss_dense",
        "loss_mask",
        "loss_cls",
        "loss_box_reg",
        "loss_rpn_cls",
        "loss_rpn_loc",
        "lr",
    } <= set(lines[0])
    (judged,) = [line for line in lines if "validation" in line]
    assert judged["dice"] >= judged["dice_of_nothing"] == pytest.approx(0.6)
    assert (tmp_path / "run" / "config.yaml").read_bytes() == config.read_bytes()
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    runtime = NativeRuntime(tmp_path / "run" / "model", device="cpu", score_threshold=0.02)
    assert runtime.model_name == "run"
    assert runtime.class_names == ("kind_1", "kind_2")
    found = runtime.infer([frame.read().image for frame in open_dataset(data).frames])
    assert sum(map(len, found)) > 0


def test_a_stopped_run_goes_on_to_the_same_losses(
    tmp_path: Path, training_yaml: Yaml, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by a signal within the run and started again, it ends with the very same weights and log."""
    monkeypatch.setattr(loop, "LOG_PERIOD", 3)
    data = squares()
    config = training_yaml(**{"SOLVER.MAX_ITER": 8, "SOLVER.CHECKPOINT_PERIOD": 4})
    chosen = {"dense_weight": 0.5, "augmentation": Augmentation.STRONG}
    assert train(options(config, tmp_path / "whole", data, **chosen)) == 0
    step = Trainer.step

    def interrupted(self: Trainer, examples: Sequence[Example], progress: float | None = None) -> Any:
        if self.iteration == 4:
            signal.raise_signal(signal.SIGTERM)
        return step(self, examples, progress)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", interrupted)
        assert train(options(config, tmp_path / "parts", data, **chosen)) == signal.SIGTERM
    assert not (tmp_path / "parts" / "model").exists()
    assert train(options(config, tmp_path / "parts", data, **chosen)) == 0
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    whole, parts = (
        torch.load(tmp_path / name / "last.pth", weights_only=True)["trainer"] for name in ("whole", "parts")
    )
    assert parts["iteration"] == 8
    torch.testing.assert_close(parts, whole, rtol=0, atol=0)


def test_a_finished_run_says_so_again(tmp_path: Path, training_yaml: Yaml, squares: Squares) -> None:
    """The same command once more changes nothing in the log, and the model is there again."""
    chosen = options(training_yaml(**{"SOLVER.MAX_ITER": 1}), tmp_path / "run", squares())
    train(chosen)
    before = metrics(tmp_path / "run")
    (tmp_path / "run" / "model" / "model.json").unlink()
    assert train(chosen) == 0
    assert metrics(tmp_path / "run") == before
    assert (tmp_path / "run" / "model" / "model.json").exists()


def test_two_processes_learn_what_one_would_from_both_halves(
    tmp_path: Path, training_yaml: Yaml, squares: Squares
) -> None:
    """After a step of plain SGD, torchrun's weights are the mean of those that each half alone leads to."""
    data = squares()
    path = training_yaml(**{"SOLVER.MAX_ITER": 1, "MODEL.RESNETS.NORM": "FrozenBN"})
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
        *(
            "-m",
            "edge.cli",
            "train",
            "--config",
            str(path),
            "--data",
            str(data),
            "--out",
            str(tmp_path / "run"),
        ),
        *("--ema", "0", "--device", "cpu"),
    ]
    launch(command)
    together = torch.load(tmp_path / "run" / "last.pth", weights_only=True)["model"]
    config = read_training_config(path)
    of_data = DataOptions(data=(Share(data),))
    stream = build_stream(open_sets(of_data, config), of_data, config)
    halves = []
    for rank in range(2):
        torch.manual_seed(config.seed)
        worker = Worker(torch.device("cpu"), rank=rank)
        trainer = Trainer(config, Learner(config), worker, optimizer=Optimizer.SGD, decay=0.0)
        numbers = next(iter(BatchNumbers(2, first=0, rank=rank, world_size=2)))
        trainer.step([stream[number] for number in numbers])
        halves.append(trainer.learner.model.state_dict())
    for name, value in together.items():
        mean = (halves[0][name] + halves[1][name]) / 2 if value.is_floating_point() else value
        torch.testing.assert_close(value, mean, rtol=1e-5, atol=1e-6, msg=name)


def test_sets_without_masks_are_learned_and_judged_by_boxes(
    tmp_path: Path, training_yaml: Yaml, squares: Squares
) -> None:
    """Without a mask head there is no mask loss, and the best weights are those of the best box mAP."""
    data = squares(masks=False)
    config = training_yaml(**{"MODEL.MASK_ON": False, "SOLVER.MAX_ITER": 2, "TEST.EVAL_PERIOD": 1})
    assert train(options(config, tmp_path / "run", data, validation=(data,))) == 0
    lines = metrics(tmp_path / "run")
    assert [line["iteration"] for line in lines if "validation" in line] == [1, 2]
    assert "loss_mask" not in next(line for line in lines if "loss" in line)
    best = torch.load(tmp_path / "run" / "best.pth", weights_only=True)
    assert best["score"] == pytest.approx(
        max(line["box_ap50"] for line in lines if "validation" in line), abs=1e-4
    )


def test_a_run_by_the_clock_ends_with_its_time(tmp_path: Path, training_yaml: Yaml, squares: Squares) -> None:
    """Whatever MAX_ITER says; the rate has come down by then."""
    config = training_yaml(
        **{
            "SOLVER.MAX_ITER": 10**6,
            "SOLVER.LR_SCHEDULER_NAME": "WarmupCosineLR",
            "DATALOADER.NUM_WORKERS": 0,
        }
    )
    assert train(options(config, tmp_path / "run", squares(), minutes=0.01)) == 0
    state = torch.load(tmp_path / "run" / "last.pth", weights_only=True)
    assert 0 < state["trainer"]["iteration"] < 1000
    assert state["spent_s"] >= 0.6


def test_another_number_of_classes_leaves_its_layers_fresh(
    tmp_path: Path, training_yaml: Yaml, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run begins with another run's folder, and names what does not fit."""
    first = training_yaml(**{"SOLVER.MAX_ITER": 1})
    train(options(first, tmp_path / "first", squares()))
    second = training_yaml(**{"SOLVER.MAX_ITER": 1, "MODEL.ROI_HEADS.NUM_CLASSES": 3})
    capsys.readouterr()
    train(options(second, tmp_path / "second", squares("three", classes=3), init=str(tmp_path / "first")))
    told = " ".join(capsys.readouterr().out.split())
    assert "6 parameters stay fresh" in told
    assert "roi_heads.box_predictor.cls_score.weight: (3, 32) in the weights, (4, 32) by the config" in told


def test_fresh_stages_that_are_frozen_are_told(
    tmp_path: Path, training_yaml: Yaml, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights that never learn are rarely meant."""
    config = training_yaml(**{"SOLVER.MAX_ITER": 1, "MODEL.BACKBONE.FREEZE_AT": 2})
    train(options(config, tmp_path / "run", squares(), init="fresh"))
    assert "FREEZE_AT: 2 keeps its first stages from learning" in " ".join(capsys.readouterr().out.split())


def test_mistakes_are_named(tmp_path: Path, training_yaml: Yaml, squares: Squares) -> None:
    """Classes, masks, weights, batches, shares: each error names what is wrong."""
    data, boxes = squares(), squares("boxes", masks=False)
    out = tmp_path / "run"

    def attempt(*sets: Path, changes: dict[str, Any] | None = None, **chosen: Any) -> None:
        train(options(training_yaml(**(changes or {})), out, *sets, **chosen))

    with pytest.raises(ModelMismatchError, match=r"has 2 classes .*NUM_CLASSES is 5"):
        attempt(data, changes={"MODEL.ROI_HEADS.NUM_CLASSES": 5})
    with pytest.raises(ModelMismatchError, match=r"boxes and no masks, but MODEL\.MASK_ON is true"):
        attempt(boxes)
    with pytest.raises(ModelFileError, match=r"MODEL\.WEIGHTS: there is no file gone\.pth"):
        attempt(data, changes={"MODEL.WEIGHTS": "gone.pth"})
    with pytest.raises(ModelFileError, match="no model folder, no run's folder and no checkpoint"):
        attempt(data, init=str(data))
    with pytest.raises(SettingsError, match="--paste"):
        attempt(data, paste=Share(boxes, 0.2))
    with pytest.raises(SettingsError, match="--device"):
        attempt(data, device="quantum")
    with pytest.raises(DatasetError):
        attempt(tmp_path / "nowhere")
    assert not out.exists()


def test_a_loss_that_is_not_finite_names_the_frames(
    tmp_path: Path, training_yaml: Yaml, squares: Squares
) -> None:
    """Whoever reads the message can look at the pictures."""
    config = training_yaml(**{"SOLVER.BASE_LR": 1e30, "SOLVER.MAX_ITER": 5})
    with pytest.raises(TrainingDivergedError, match=r"iteration \d, learning rate 1e\+30.*squares\d\.png"):
        train(options(config, tmp_path / "run", squares()))


def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: Path, training_yaml: Yaml, squares: Squares
) -> None:
    """A run's folder belongs to one model."""
    data = squares()
    train(options(training_yaml(**{"SOLVER.MAX_ITER": 1}), tmp_path / "run", data))
    other = training_yaml(**{"MODEL.FPN.OUT_CHANNELS": 8})
    with pytest.raises(ModelMismatchError, match="another run needs another --out"):
        train(options(other, tmp_path / "run", data))
    same = training_yaml(**{"SOLVER.MAX_ITER": 1})
    with pytest.raises(ModelMismatchError, match="another run needs another --out"):
        train(options(same, tmp_path / "run", data, dense_weight=1.0))


def test_a_run_keeps_its_validation_frames(tmp_path: Path, training_yaml: Yaml, squares: Squares) -> None:
    """Another fold is refused: the weights have learned from its frames."""
    data, config = squares(), training_yaml(**{"SOLVER.MAX_ITER": 1})
    folds = {frame.name: number % 2 for number, frame in enumerate(open_dataset(data).frames)}
    train(options(config, tmp_path / "run", data, folds=folds, fold=0))
    with pytest.raises(SettingsError, match="other frames for validation; another run needs another --out"):
        train(options(config, tmp_path / "run", data, folds=folds, fold=1))
    with pytest.raises(SettingsError, match="other frames for validation"):
        train(options(config, tmp_path / "run", data))


def test_weights_alone_are_no_run(tmp_path: Path, training_yaml: Yaml, squares: Squares) -> None:
    """Whoever copies weights to last.pth is told what they are for; an empty file is named as well."""
    (tmp_path / "run").mkdir()
    last = tmp_path / "run" / "last.pth"
    last.touch()
    with pytest.raises(ModelFileError, match=r"last\.pth: cannot be read"):
        checkpoint.load(last, torch.device("cpu"))
    checkpoint.save({"model": {}}, last)
    with pytest.raises(ModelFileError, match="no run to go on with; use it with --init"):
        train(options(training_yaml(), tmp_path / "run", squares()))


def test_a_full_disk_leaves_the_former_checkpoint(tmp_path: Path) -> None:
    """And the error names the file."""
    last = tmp_path / "last.pth"
    checkpoint.save({"iteration": 1}, last)
    last.with_suffix(".tmp").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write .*last\.pth"):
        checkpoint.save({"iteration": 2}, last)
    assert checkpoint.load(last, torch.device("cpu")) == {"iteration": 1}
    assert list(tmp_path.iterdir()) == [last]
