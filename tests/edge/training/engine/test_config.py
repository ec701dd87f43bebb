"""What training reads of Detectron2's config."""

from typing import Any

import pytest

from edge.errors import ModelFileError, SettingsError, UnsupportedModelError
from edge.training.engine.config import parse_training_config, scaled_to


def test_defaults_are_detectron2_s() -> None:
    """A config that says nothing."""
    config = parse_training_config({})
    assert config.solver.ims_per_batch == 16
    assert config.input.shortest_edges_px == (800,)
    assert config.input.random_flip == "horizontal"
    assert config.dataloader.filter_empty_annotations
    assert config.seed == 0


def test_batch_rate_and_periods_scale_with_the_workers() -> None:
    """Eight workers, where the config was made for two: four times the batch, a quarter of the iterations."""
    solver = {
        "REFERENCE_WORLD_SIZE": 2,
        "IMS_PER_BATCH": 4,
        "BASE_LR": 0.01,
        "MAX_ITER": 800,
        "STEPS": [400],
        "WARMUP_ITERS": 40,
        "CHECKPOINT_PERIOD": 100,
    }
    config = parse_training_config({"SOLVER": solver, "TEST": {"EVAL_PERIOD": 20}})
    scaled = scaled_to(config, 8)
    assert (scaled.solver.ims_per_batch, scaled.solver.base_lr) == (16, pytest.approx(0.04))
    assert (scaled.solver.max_iter, scaled.solver.steps, scaled.solver.warmup_iters) == (200, (100,), 10)
    assert (scaled.solver.checkpoint_period, scaled.eval_period) == (25, 5)
    assert scaled_to(config, 2) == config
    assert scaled_to(parse_training_config({}), 8) == parse_training_config({})
    odd = parse_training_config({"SOLVER": {"REFERENCE_WORLD_SIZE": 3, "IMS_PER_BATCH": 4}})
    with pytest.raises(SettingsError, match="REFERENCE_WORLD_SIZE"):
        scaled_to(odd, 2)


def test_keys_without_effect_are_known() -> None:
    """A mistyped key is told from those that are read, the model's among them."""
    raw = {
        "SOLVER": {"MAX_ITERS": 9, "MAX_ITER": 8},
        "INPUT": {"FORMAT": "BGR", "CROP": {}},
        "DATALOADER": {"ASPECT_RATIO_GROUPING": True},
    }
    assert parse_training_config(raw).unread == ("SOLVER.MAX_ITERS", "DATALOADER.ASPECT_RATIO_GROUPING")


@pytest.mark.parametrize(
    ("raw", "error", "named"),
    [
        ({"SOLVER": {"LR_SCHEDULER_NAME": "Exotic"}}, UnsupportedModelError, r"SOLVER\.LR_SCHEDULER_NAME"),
        ({"SOLVER": {"WARMUP_METHOD": "burst"}}, UnsupportedModelError, r"SOLVER\.WARMUP_METHOD"),
        ({"SOLVER": {"CLIP_GRADIENTS": {"CLIP_TYPE": "agc"}}}, UnsupportedModelError, "CLIP_TYPE"),
        ({"DATALOADER": {"SAMPLER_TRAIN": "Other"}}, UnsupportedModelError, "SAMPLER_TRAIN"),
        ({"SOLVER": {"IMS_PER_BATCH": 0}}, ModelFileError, r"SOLVER\.IMS_PER_BATCH"),
        ({"INPUT": {"RANDOM_FLIP": "diagonal"}}, ModelFileError, r"INPUT\.RANDOM_FLIP"),
        ({"INPUT": {"CROP": {"TYPE": "round"}}}, ModelFileError, r"INPUT\.CROP\.TYPE"),
        ({"INPUT": {"CROP": {"ENABLED": True, "SIZE": [64, 64]}}}, ModelFileError, r"INPUT\.CROP\.SIZE"),
        (
            {"INPUT": {"CROP": {"ENABLED": True, "TYPE": "absolute_range", "SIZE": [9, 8]}}},
            ModelFileError,
            r"INPUT\.CROP\.SIZE",
        ),
        (
            {"INPUT": {"MIN_SIZE_TRAIN": [1, 2, 3], "MIN_SIZE_TRAIN_SAMPLING": "range"}},
            ModelFileError,
            "range",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_key(
    raw: dict[str, Any], error: type[Exception], named: str
) -> None:
    """The message names the key."""
    with pytest.raises(error, match=named):
        parse_training_config(raw)
