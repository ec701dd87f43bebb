"""DefaultTrainer on our frames, and our solver beside Detectron2's; skipped where that is not installed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edge.training.data import open_dataset
from edge.training.engine.choices import Optimizer
from edge.training.engine.config import parse_training_config
from edge.training.engine.run import TrainingOptions
from edge.training.engine.solver import build_optimizer, learning_rate, set_learning_rate
from edge.training.engine.sources import DataOptions, Share
from edge.training.with_detectron2.command import train
from edge.vision.native.runtime import NativeRuntime

# Not through `skip_or_fail`: no package index has Detectron2, so that no machine can promise it.
pytest.importorskip("detectron2", reason="Detectron2 is not installed")
# The library is not written for the newest versions of what it builds on.
pytestmark = pytest.mark.filterwarnings("ignore")

SCHEDULES: dict[str, dict[str, Any]] = {
    "steps": {"STEPS": [30, 45]},
    "cosine": {"LR_SCHEDULER_NAME": "WarmupCosineLR", "BASE_LR_END": 0.001},
    "fixed gamma": {"LR_SCHEDULER_NAME": "WarmupStepWithFixedGammaLR", "NUM_DECAYS": 2, "GAMMA": 0.5},
    "constant warm-up": {"WARMUP_METHOD": "constant", "STEPS": [30]},
}


def theirs(solver: dict[str, Any]) -> Any:
    """Detectron2's config with a SOLVER."""
    from detectron2.config import CfgNode, get_cfg  # noqa: PLC0415 - not at collection, for its warnings

    cfg = get_cfg()
    cfg.merge_from_other_cfg(CfgNode({"SOLVER": solver}))
    return cfg


@pytest.mark.parametrize("changes", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_learning_rates_are_detectron2_s(changes: dict[str, Any]) -> None:
    """At every iteration of a schedule."""
    from detectron2.solver import build_lr_scheduler  # noqa: PLC0415

    raw = {"BASE_LR": 0.02, "MAX_ITER": 60, "WARMUP_ITERS": 10, **changes}
    ours = parse_training_config({"SOLVER": raw}).solver
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = build_lr_scheduler(theirs(raw), optimizer)
    for iteration in range(60):
        assert learning_rate(ours, iteration) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        if iteration < 59:  # it cannot look beyond the end of every schedule
            optimizer.step()
            schedule.step()


def test_parameters_have_detectron2_s_rates_and_decays() -> None:
    """With biases and norms on their own."""
    from detectron2.solver import build_optimizer as build  # noqa: PLC0415

    raw = {"BASE_LR": 0.02, "WEIGHT_DECAY": 0.1, "WEIGHT_DECAY_NORM": 0.01, "WEIGHT_DECAY_BIAS": 0.2}
    raw["BIAS_LR_FACTOR"] = 2.0
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Linear(4, 2))
    ours = build_optimizer(model, parse_training_config({"SOLVER": raw}).solver, Optimizer.SGD)
    set_learning_rate(ours, 0.02)

    def by_parameter(optimizer: torch.optim.Optimizer) -> dict[int, tuple[float, ...]]:
        keys = ("lr", "weight_decay", "momentum", "nesterov")
        return {id(p): tuple(g[k] for k in keys) for g in optimizer.param_groups for p in g["params"]}

    assert by_parameter(ours) == by_parameter(build(theirs(raw), model))


def test_default_trainer_makes_a_model_that_is_served(
    tmp_path: Path, training_yaml: Callable[..., Path], squares: Callable[..., Path]
) -> None:
    """On frames with masks and clean ones, cropped; the native runtime loads what comes out."""
    out, data = tmp_path / "run", squares()
    chosen = DataOptions(data=(Share(data),))
    train(TrainingOptions(config=training_yaml(**{"SOLVER.MAX_ITER": 6}), out=out, data=chosen, device="cpu"))
    assert json.loads((out / "metrics.json").read_text().splitlines()[-1])["total_loss"] > 0
    runtime = NativeRuntime(out / "model", device="cpu")
    assert runtime.class_names == ("kind_1", "kind_2")
    assert len(runtime.infer([open_dataset(data).frames[0].read().image])) == 1
