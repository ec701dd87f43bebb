"""What ``stripsight train --engine detectron2`` does."""

import importlib.util

import torch

from edge.errors import SettingsError, UnsupportedModelError
from edge.training.engine import checkpoint
from edge.training.engine.choices import Augmentation, Optimizer
from edge.training.engine.config import Solver, read_training_config
from edge.training.engine.distributed import joined
from edge.training.engine.run import DEFAULT_DECAY, UNTUNED_THRESHOLD, TrainingOptions
from edge.training.engine.sources import open_sets
from edge.training.model_writer import copy_config, half_precision, write_folder
from edge.vision.model_folder import CONFIG_FILE
from edge.vision.native.checkpoint import read_weights
from edge.vision.native.config import Model

_FINAL = "model_final.pth"  # the name that DefaultTrainer gives it
_INITIAL = "initial.pth"
_FULL_MODEL = "full_model"  # of projects on Detectron2, DETR's first


def train(options: TrainingOptions) -> None:
    """Let DefaultTrainer train in ``--out``, from its last checkpoint if there is one; makes a model folder.

    Raises:
        SettingsError: Detectron2 is not installed, or an option is beyond it.
        ConfigurationError: config or data are wrong.
    """
    if importlib.util.find_spec("detectron2") is None:
        raise SettingsError(
            "--engine detectron2: Detectron2 is not installed; install it with: "
            "pip install 'stripsight[detectron2]'"
        )
    refuse_own_options(options)
    torch.set_num_threads(options.threads)
    config = read_training_config(options.config)
    _refuse_own_solver(config.solver, str(options.config))
    data = open_sets(options.data, config)
    from edge.training.with_detectron2 import trainer  # noqa: PLC0415 - an extra

    with joined(options.device) as worker:
        options.out.mkdir(parents=True, exist_ok=True)
        cfg = trainer.build_config(
            options.config,
            [trainer.register(dataset, number) for number, dataset in enumerate(data.learn)],
            weights=_weights(options, config.model.model),
            device=str(worker.device),
            out=options.out,
        )
        trainer.run(cfg, worker)
        if worker.is_first:
            copy_config(options.config, options.out / CONFIG_FILE)
            write_folder(
                options.out / checkpoint.MODEL_FOLDER,
                options.config,
                half_precision(read_weights(options.out / _FINAL)),
                name=options.out.resolve().name,
                class_names=data.class_names,
                thresholds=[UNTUNED_THRESHOLD] * len(data.class_names),
                frame_px=data.frame_px,
            )


def _refuse_own_solver(solver: Solver, source: str) -> None:
    """Name the one key whose native values are more than Detectron2's."""
    clip = solver.clip_gradients
    if clip.enabled and clip.clip_type == _FULL_MODEL:
        raise UnsupportedModelError(
            f"{source}: SOLVER.CLIP_GRADIENTS.CLIP_TYPE: {_FULL_MODEL} is not Detectron2's own; "
            "supported with --engine detectron2: value, norm"
        )


def _weights(options: TrainingOptions, model: Model) -> str:
    """A file to begin with that Detectron2's checkpointer reads, with Detectron2's names; "" for none."""
    file = checkpoint.initial_weights_file(options.init, model, options.config)
    if file is None:
        return ""
    if file.suffix == ".pkl":
        return str(file)
    converted = options.out / _INITIAL
    checkpoint.save({"model": checkpoint.read_initial(file, model)}, converted)
    return str(converted)


def refuse_own_options(options: TrainingOptions) -> None:
    """Check that the options are none of those that only the native engine has.

    Raises:
        SettingsError: names the first that is.
    """
    data = options.data
    for name, given in (
        ("--optimizer adamw", options.optimizer != Optimizer.SGD),
        ("--minutes", options.minutes is not None),
        ("--dense-loss", options.dense_weight > 0),
        ("--augment", data.augmentation != Augmentation.NONE),
        ("--balance", data.balance),
        ("--paste", data.paste is not None),
        ("--data DIR=SHARE", any(share.share is not None for share in data.data)),
        ("--validation and --fold", bool(data.validation) or data.fold is not None),
        ("--precision", options.precision is not None),
        ("--ema", options.decay not in (0.0, DEFAULT_DECAY)),
    ):
        if given:
            raise SettingsError(f"--engine detectron2: its trainer knows no {name}; the native engine does")
