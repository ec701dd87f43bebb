"""What training reads of Detectron2's ``config.yaml`` beyond the model: SOLVER, INPUT, DATALOADER, TEST.

Names, meanings and defaults are Detectron2's. ``MODEL`` is read by ``edge.vision.native.config``.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edge.errors import ModelFileError, SettingsError, UnsupportedModelError
from edge.vision.native.config import Config, Count, CountOrNone, parse_config, read_yaml
from edge.vision.native.config import Input as ModelInput

SCHEDULES = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR")
WARMUPS = ("linear", "constant")
CLIP_TYPES = ("value", "norm", "full_model")
SAMPLERS = ("TrainingSampler", "RepeatFactorTrainingSampler", "RandomSubsetTrainingSampler")

CropType = Literal["relative", "relative_range", "absolute", "absolute_range"]
Positive = Annotated[float, msgspec.Meta(gt=0)]


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

    ims_per_batch: Count = 16
    reference_world_size: CountOrNone = 0
    base_lr: float = 0.001
    base_lr_end: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0001
    weight_decay_norm: float | None = 0.0
    weight_decay_bias: float | None = None
    bias_lr_factor: float | None = 1.0
    lr_scheduler_name: str = "WarmupMultiStepLR"
    max_iter: Count = 40000
    steps: tuple[int, ...] = (30000,)
    num_decays: Count = 3
    gamma: float = 0.1
    warmup_factor: float = 0.001
    warmup_iters: CountOrNone = 1000
    warmup_method: str = "linear"
    checkpoint_period: Count = 5000
    clip_gradients: ClipGradients = ClipGradients()
    amp: Amp = Amp()


class Crop(_Node, frozen=True):
    """Random crops; what ``size`` means is for ``type`` to say (see ``transforms.crop_size``)."""

    enabled: bool = False
    type: CropType = "relative_range"
    size: tuple[Positive, Positive] = (0.9, 0.9)


class Input(_Node, frozen=True):
    """How training's pictures are cropped, resized and flipped; sizes of edges in px, 0 for as they are."""

    min_size_train: tuple[CountOrNone, ...] | CountOrNone = (800,)
    min_size_train_sampling: Literal["choice", "range"] = "choice"
    max_size_train: Count = 1333
    random_flip: Literal["horizontal", "vertical", "none"] = "horizontal"
    crop: Crop = Crop()
    mask_format: Literal["polygon", "bitmask"] = "polygon"

    @property
    def shortest_edges_px(self) -> tuple[int, ...]:
        """Return the sizes to choose from, or both ends of the range."""
        sizes = self.min_size_train
        if isinstance(sizes, int):
            return (sizes, sizes) if self.min_size_train_sampling == "range" else (sizes,)
        return sizes


class DataLoader(_Node, frozen=True):
    """In which order frames are drawn, which of them, and by how many processes for each of training's."""

    num_workers: CountOrNone = 4
    sampler_train: str = "TrainingSampler"
    repeat_threshold: float = 0.0
    repeat_sqrt: bool = True
    random_subset_ratio: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    filter_empty_annotations: bool = True


class Test(_Node, frozen=True):
    """How often the model is judged while it trains, in iterations; 0 is at the end alone."""

    eval_period: CountOrNone = 0


class _Keys(_Node, frozen=True):
    """The part of Detectron2's root that concerns training."""

    input: Input = Input()
    dataloader: DataLoader = DataLoader()
    solver: Solver = Solver()
    test: Test = Test()
    seed: int = -1


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One ``config.yaml``, in both of its readings."""

    model: Config
    solver: Solver
    input: Input
    dataloader: DataLoader
    eval_period: int
    seed: int  # Detectron2's -1, for another seed in each run, is 0 here: a run can be repeated
    unread: tuple[str, ...] = ()  # keys that have no effect: of Detectron2's others, or mistyped


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
    _check(keys, source)
    return TrainingConfig(
        model=parse_config(raw, source=source),
        solver=keys.solver,
        input=keys.input,
        dataloader=keys.dataloader,
        eval_period=keys.test.eval_period,
        seed=max(0, keys.seed),
        unread=_unread(raw),
    )


def scaled_to(config: TrainingConfig, world_size: int) -> TrainingConfig:
    """Adapt batch, learning rate and periods to the number of workers, if REFERENCE_WORLD_SIZE is given.

    The batch and the learning rate grow with the number of workers, all counts of iterations shrink with it
    ("Accurate, Large Minibatch SGD", https://arxiv.org/abs/1706.02677).
    """
    solver = config.solver
    reference = solver.reference_world_size
    if reference in {0, world_size}:
        return config
    if solver.ims_per_batch % reference:
        raise SettingsError(
            f"SOLVER.IMS_PER_BATCH: {solver.ims_per_batch} is no multiple of "
            f"SOLVER.REFERENCE_WORLD_SIZE: {reference}"
        )
    scale = world_size / reference

    def iterations(count: int) -> int:
        return round(count / scale)

    scaled = msgspec.structs.replace(
        solver,
        ims_per_batch=round(solver.ims_per_batch * scale),
        base_lr=solver.base_lr * scale,
        max_iter=iterations(solver.max_iter),
        warmup_iters=iterations(solver.warmup_iters),
        steps=tuple(iterations(step) for step in solver.steps),
        checkpoint_period=max(1, iterations(solver.checkpoint_period)),
        reference_world_size=world_size,
    )
    return msgspec.structs.replace(config, solver=scaled, eval_period=iterations(config.eval_period))


def _unread(raw: dict[str, Any]) -> tuple[str, ...]:
    read = {"SOLVER": _names(Solver), "INPUT": _names(Input, ModelInput), "DATALOADER": _names(DataLoader)}
    return tuple(
        f"{section}.{key}"
        for section, names in read.items()
        for key in raw.get(section) or ()
        if key not in names
    )


def _names(*sections: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for section in sections for field in msgspec.structs.fields(section)}


def _check(keys: _Keys, source: str) -> None:
    for key, value, supported in (
        ("SOLVER.LR_SCHEDULER_NAME", keys.solver.lr_scheduler_name, SCHEDULES),
        ("SOLVER.WARMUP_METHOD", keys.solver.warmup_method, WARMUPS),
        ("SOLVER.CLIP_GRADIENTS.CLIP_TYPE", keys.solver.clip_gradients.clip_type, CLIP_TYPES),
        ("DATALOADER.SAMPLER_TRAIN", keys.dataloader.sampler_train, SAMPLERS),
    ):
        if value not in supported:
            raise UnsupportedModelError(
                f"{source}: {key}: {value} is not supported; supported: {', '.join(supported)}"
            )
    edges = keys.input.shortest_edges_px
    if not edges or (keys.input.min_size_train_sampling == "range" and len(edges) != 2):  # noqa: PLR2004 - both ends
        raise ModelFileError(f"{source}: INPUT.MIN_SIZE_TRAIN: {list(edges)}: a range has two ends")
    crop = keys.input.crop
    if crop.enabled and crop.type.startswith("relative") and max(crop.size) > 1:
        raise ModelFileError(
            f"{source}: INPUT.CROP.SIZE: {list(crop.size)}: "
            f"parts of a frame, as TYPE {crop.type} has them, are at most 1"
        )
    if crop.enabled and crop.type == "absolute_range" and crop.size[0] > crop.size[1]:
        raise ModelFileError(
            f"{source}: INPUT.CROP.SIZE: {list(crop.size)}: the smallest size exceeds the largest"
        )
