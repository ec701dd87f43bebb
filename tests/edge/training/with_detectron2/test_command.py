"""``--engine detectron2``: refusals, which need no Detectron2."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import SettingsError, UnsupportedModelError
from edge.training.engine.choices import Augmentation, Optimizer, Precision
from edge.training.engine.run import TrainingOptions
from edge.training.engine.sources import DataOptions, Share
from edge.training.with_detectron2.command import refuse_own_options, train


def options(data: dict[str, Any] | None = None, **more: Any) -> TrainingOptions:
    """Options for a set that nobody opens."""
    chosen = DataOptions(**({"data": (Share(Path("data")),)} | (data or {})))
    return TrainingOptions(config=Path("config.yaml"), out=Path("out"), data=chosen, **more)


def test_where_detectron2_is_absent_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read or written."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"stripsight\[detectron2\]"):
        train(options())


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        (options(optimizer=Optimizer.ADAMW), "adamw"),
        (options(minutes=3.0), "--minutes"),
        (options(dense_weight=1.0), "--dense-loss"),
        (options(precision=Precision.BFLOAT16), "--precision"),
        (options(decay=0.9), "--ema"),
        (options({"augmentation": Augmentation.LIGHT}), "--augment"),
        (options({"balance": True}), "--balance"),
        (options({"paste": Share(None, 0.2)}), "--paste"),
        (options({"data": (Share(Path("data"), 0.5),)}), "DIR=SHARE"),
        (options({"validation": (Path("data"),)}), "--validation"),
    ],
)
def test_options_that_its_trainer_does_not_know_are_refused(chosen: TrainingOptions, named: str) -> None:
    """Rather than passed over in silence."""
    with pytest.raises(SettingsError, match=named):
        refuse_own_options(chosen)


def test_clipping_that_detectron2_does_not_know_is_refused(
    monkeypatch: pytest.MonkeyPatch, training_yaml: Callable[..., Path], squares: Callable[..., Path]
) -> None:
    """By its key, before Detectron2 fails on it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    config = training_yaml(**{"SOLVER.CLIP_GRADIENTS": {"ENABLED": True, "CLIP_TYPE": "full_model"}})
    chosen = DataOptions(data=(Share(squares()),))
    with pytest.raises(UnsupportedModelError, match="CLIP_TYPE: full_model"):
        train(TrainingOptions(config=config, out=Path("out"), data=chosen))


def test_plain_options_pass(squares: Callable[..., Path]) -> None:
    """Config, data, folder, weights, device and threads mean the same to both engines."""
    refuse_own_options(options({"data": (Share(squares()),)}, init="fresh", device="cpu", threads=2))
