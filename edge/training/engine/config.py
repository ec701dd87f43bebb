"""What training reads of Detectron2's ``config.yaml`` beyond the model: SOLVER, INPUT.CROP, TEST.EVAL_PERIOD.

Defaults are Detectron2's. ``MODEL`` and ``INPUT`` sizes are read by ``edge.vision.native.config``.
"""

from pathlib import Path
from typing import Any

import msgspec

from edge.errors import ModelFileError, UnsupportedModelError
from edge.vision.native.config import Config, parse_config, read_yaml

SCHEDULES = ("WarmupMultiStepLR", "WarmupCosineLR")


class _Node(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """A section of the config; its fields are Detectron2's keys in lower case."""


class ClipGradients(_Node, frozen=True):
    """Bounds of the gradients: of each value, or of the norm of each parameter or of all (``full_model``)."""

    enabled: bool = False
    clip_type: str = "value"
    clip_value: float = 1.0
    norm_type: float = 2.0


class Amp(_Node, frozen=True):
    """Automatic mixed precision."""

    enabled: bool = False


class Solver(_Node, frozen=True):
    """Learning rate, schedule and regularisation; periods are in iterations."""

    ims_per_batch: int = 16
    base_lr: float = 0.001
    base_lr_end: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0001
    weight_decay_norm: float = 0.0
    lr_scheduler_name: str = "WarmupMultiStepLR"
    max_iter: int = 40000
    steps: tuple[int, ...] = (30000,)
    gamma: float = 0.1
    warmup_factor: float = 0.001
    warmup_iters: int = 1000
    warmup_method: str = "linear"
    checkpoint_period: int = 5000
    clip_gradients: ClipGradients = ClipGradients()
    amp: Amp = Amp()


class Crop(_Node, frozen=True):
    """Random crops; ``size`` is (height, width), px where ``type`` is absolute, else parts of the frame."""

    enabled: bool = False
    type: str = "relative_range"
    size: tuple[float, float] = (0.9, 0.9)


class Input(_Node, frozen=True):
    """How pictures are augmented."""

    crop: Crop = Crop()


class Test(_Node, frozen=True):
    """How often the model is evaluated while it trains, in iterations; 0 is never."""

    eval_period: int = 0


class _Keys(_Node, frozen=True):
    """The part of Detectron2's root that concerns training."""

    input: Input = Input()
    solver: Solver = Solver()
    test: Test = Test()
    seed: int = -1


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One ``config.yaml``, in both of its readings."""

    model: Config
    solver: Solver
    crop_px: tuple[int, int] | None  # (height, width); None trains on whole frames
    eval_period: int
    seed: int


def read_training_config(path: Path) -> TrainingConfig:
    """Read ``config.yaml``.

    Raises:
        ModelFileError: the file is missing or no config.
        UnsupportedModelError: it asks for training that is not implemented; the message names the key.
    """
    return parse_training_config(read_yaml(path), source=str(path))


def parse_training_config(raw: dict[str, Any], *, source: str = "config") -> TrainingConfig:
    """Read a config that is already parsed YAML; raises what ``read_training_config`` raises."""
    try:
        keys = msgspec.convert(raw, _Keys)
    except msgspec.ValidationError as error:
        raise ModelFileError(f"{source}: {str(error).replace('`$.', '`')}") from error
    if keys.solver.lr_scheduler_name not in SCHEDULES:
        raise UnsupportedModelError(
            f"{source}: SOLVER.LR_SCHEDULER_NAME: {keys.solver.lr_scheduler_name} is not supported; "
            f"supported: {', '.join(SCHEDULES)}"
        )
    crop = keys.input.crop
    if crop.enabled and crop.type != "absolute":
        raise UnsupportedModelError(
            f"{source}: INPUT.CROP.TYPE: {crop.type} is not supported; supported: absolute"
        )
    return TrainingConfig(
        model=parse_config(raw, source=source),
        solver=keys.solver,
        crop_px=(int(crop.size[0]), int(crop.size[1])) if crop.enabled else None,
        eval_period=keys.test.eval_period,
        seed=max(0, keys.seed),
    )
