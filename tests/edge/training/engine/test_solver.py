"""Learning rate, optimisers, clipping and averaging."""

import pytest
import torch
from torch import nn

from edge.training.engine.average import AveragedWeights
from edge.training.engine.choices import Optimizer
from edge.training.engine.config import ClipGradients, Solver
from edge.training.engine.solver import build_optimizer, clip_gradients, learning_rate, set_learning_rate


def test_multi_step_warms_up_in_a_line_and_falls_in_steps() -> None:
    """From a thousandth to the full rate, then a tenth of it after each step."""
    solver = Solver(base_lr=1.0, warmup_iters=100, warmup_factor=0.001, steps=(200, 300), max_iter=400)
    rates = [learning_rate(solver, i) for i in (0, 50, 100, 199, 200, 300)]
    assert rates == pytest.approx([0.001, 0.5005, 1.0, 1.0, 0.1, 0.01])


def test_cosine_ends_at_its_end_value() -> None:
    """Half of the way down after half of the iterations; no jump where the warm-up ends."""
    solver = Solver(
        base_lr=1.0, base_lr_end=0.2, warmup_iters=10, max_iter=1000, lr_scheduler_name="WarmupCosineLR"
    )
    assert learning_rate(solver, 500) == pytest.approx(0.6)
    assert learning_rate(solver, 1000) == pytest.approx(0.2)
    assert abs(learning_rate(solver, 10) - learning_rate(solver, 9)) < 0.11


def test_fixed_gamma_decays_in_equal_steps() -> None:
    """Three decays divide the schedule into four parts."""
    solver = Solver(
        base_lr=1.0, warmup_iters=0, max_iter=80, num_decays=3, lr_scheduler_name="WarmupStepWithFixedGammaLR"
    )
    assert [learning_rate(solver, i) for i in (0, 19, 20, 40, 60, 79)] == pytest.approx(
        [1, 1, 0.1, 0.01, 0.001, 0.001]
    )


def test_a_schedule_by_time_follows_progress_not_iterations() -> None:
    """The warm-up still counts iterations, and meets the schedule where that is by then."""
    solver = Solver(base_lr=1.0, warmup_iters=10, max_iter=10**6, lr_scheduler_name="WarmupCosineLR")
    assert learning_rate(solver, 500, 0.5) == pytest.approx(0.5)
    assert learning_rate(solver, 500, 1.0) == pytest.approx(0.0, abs=1e-9)
    assert learning_rate(solver, 5, 0.5) == pytest.approx(0.25, abs=0.01)


def test_norms_have_their_own_weight_decay() -> None:
    """Batch norm's parameters go into the group of WEIGHT_DECAY_NORM."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    solver = Solver(weight_decay=0.1, weight_decay_norm=0.0)
    for kind in Optimizer:
        decayed, norms = build_optimizer(model, solver, kind).param_groups
        assert (decayed["weight_decay"], len(decayed["params"])) == (0.1, 2)
        assert (norms["weight_decay"], len(norms["params"])) == (0.0, 2)


def test_biases_may_have_their_own_rate_and_decay() -> None:
    """BIAS_LR_FACTOR and WEIGHT_DECAY_BIAS; frozen parameters are in no group."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1).requires_grad_(False))
    solver = Solver(base_lr=0.1, weight_decay=0.1, weight_decay_bias=0.3, bias_lr_factor=2.0)
    optimizer = build_optimizer(model, solver, Optimizer.SGD)
    set_learning_rate(optimizer, 0.05)
    assert [(g["weight_decay"], g["lr"], len(g["params"])) for g in optimizer.param_groups] == [
        (0.1, 0.05, 1),
        (0.3, 0.1, 1),
    ]


@pytest.mark.parametrize(("kind", "norm"), [("value", 2.0**0.5), ("full_model", 1.0), ("norm", 1.0)])
def test_gradients_are_clipped_as_configured(kind: str, norm: float) -> None:
    """By value each of two gradients becomes 1; by norm their length does."""
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[30.0, 40.0]])
    clip_gradients(layer, ClipGradients(enabled=True, clip_type=kind, clip_value=1.0))
    assert layer.weight.grad.norm().item() == pytest.approx(norm, rel=1e-4)


def test_averaged_weights_follow_and_resume() -> None:
    """The average lies between old and new weights, and a saved one goes on as if never stopped."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 3)
    average = AveragedWeights(layer, decay=0.9)
    before = average.state["weight"].clone()
    with torch.no_grad():
        layer.weight.add_(1.0)
    average.update()
    assert ((average.state["weight"] > before) & (average.state["weight"] < layer.weight)).all()
    resumed = AveragedWeights(layer, decay=0.9)
    resumed.load_state_dict(average.state_dict())
    average.update()
    resumed.update()
    assert torch.equal(average.state["weight"], resumed.state["weight"])


def test_without_decay_the_last_weights_are_kept() -> None:
    """The average is switched off."""
    layer = nn.Linear(3, 3)
    average = AveragedWeights(layer, decay=0.0)
    with torch.no_grad():
        layer.weight.add_(1.0)
    average.update()
    assert torch.equal(average.state["weight"], layer.weight)
