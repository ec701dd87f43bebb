"""A model folder: ``config.yaml``, weights, and what ``model.json`` says about classes and thresholds."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import ModelFileError, ModelMismatchError, UnsupportedModelError
from edge.vision.exported.record import EXPORT_FILE
from edge.vision.native.config import Config, Count, Fraction, RetinaNet, RoiHeads, read_config

CONFIG_FILE = "config.yaml"
# An exported model has graphs in place of weights, and a file that tells the hash of each.
WEIGHTS_FILES = ("model.safetensors", "model.pth", "model.pkl", EXPORT_FILE)
_OF_A_RUN = "model"  # the folder in which a training run leaves its model
DESCRIPTION_FILE = "model.json"
VERSION_DIGITS = 12
# The section of MODEL that tells NUM_CLASSES and SCORE_THRESH_TEST. Of other architectures nothing is known.
HEADS = {"GeneralizedRCNN": "ROI_HEADS", "PanopticFPN": "ROI_HEADS", "RetinaNet": "RETINANET"}


class Description(msgspec.Struct, frozen=True):
    """``model.json``: the model's name, its classes by id, and the score that a class must exceed.

    ``frame_px``: (width, height) of the frames that it has learned from, the largest of each.
    """

    name: str | None = None
    classes: tuple[str, ...] | None = None
    score_thresholds: dict[str, Fraction] = {}
    frame_px: tuple[Count, Count] | None = None


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model as it lies on disk; ``version`` is the start of the SHA-256 over config and weights.

    Of an exported model ``weights_file`` is ``export.json``, which stands for its graphs.
    There are no class names when neither ``model.json`` nor the config's architecture tells them.
    """

    config: Config
    config_file: Path
    weights_file: Path
    name: str
    version: str
    class_names: tuple[str, ...]
    score_thresholds: tuple[float, ...]


def read_model_folder(path: Path) -> ModelFolder:
    """Read everything but the weights' values.

    Raises:
        ModelFileError: the folder or one of its files is missing or unreadable.
        UnsupportedModelError: the config is not one complete YAML file of Detectron2's current format.
        ModelMismatchError: ``model.json`` does not fit the config.
    """
    if not path.is_dir():
        raise ModelFileError(f"{path}: there is no such model folder")
    config_file = _config_file(path)
    config = read_config(config_file)
    weights_file = _weights_file(path, config.model.weights)
    description_file = path / DESCRIPTION_FILE
    description = _read_description(description_file)
    class_names = _class_names(description, config, description_file)
    return ModelFolder(
        config=config,
        config_file=config_file,
        weights_file=weights_file,
        name=description.name or path.resolve().name,
        version=_version(config_file, weights_file),
        class_names=class_names,
        score_thresholds=_thresholds(description, class_names, config, description_file),
    )


def learned_frame_px(folder: Path) -> tuple[int, int] | None:
    """Return (width, height) of the frames that a folder's model has learned from; None if it does not say.

    Raises:
        ModelFileError: its ``model.json`` is unreadable.
    """
    return _read_description(folder / DESCRIPTION_FILE).frame_px


def _config_file(folder: Path) -> Path:
    file = folder / CONFIG_FILE
    scripts = sorted(folder.glob("*.py"))
    if scripts and not file.exists():
        raise UnsupportedModelError(
            f"{scripts[0]}: a LazyConfig is a program, and nothing that a model folder contains is executed; "
            f"what is read is {CONFIG_FILE}, of the kind that starts with MODEL"
        )
    return file


def _weights_file(folder: Path, configured: str) -> Path:
    """Choose the file that MODEL.WEIGHTS names, if it lies in the folder, else the first customary name."""
    names = [name for name in dict.fromkeys((configured, *WEIGHTS_FILES)) if name]
    for name in names:
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return file
    inner = folder / _OF_A_RUN
    hint = f"; the model of this run is {inner}" if inner.is_dir() else ""
    raise ModelFileError(f"{folder}: holds no weights; looked for {', '.join(names)}{hint}")


def _read_description(file: Path) -> Description:
    if not file.exists():
        return Description()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Description)
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{file}: {error}") from error


def _class_names(description: Description, config: Config, source: Path) -> tuple[str, ...]:
    heads = _heads(config)
    if heads is None:
        return description.classes or ()
    if description.classes is None:
        return tuple(f"class_{i}" for i in range(heads.num_classes))
    if len(description.classes) != heads.num_classes:
        raise ModelMismatchError(
            f"{source}: names {len(description.classes)} classes, "
            f"but MODEL.{HEADS[config.model.meta_architecture]}.NUM_CLASSES is {heads.num_classes}"
        )
    return description.classes


def _heads(config: Config) -> RoiHeads | RetinaNet | None:
    section = HEADS.get(config.model.meta_architecture)
    return None if section is None else getattr(config.model, section.lower())


def _thresholds(
    description: Description, class_names: tuple[str, ...], config: Config, source: Path
) -> tuple[float, ...]:
    unknown = description.score_thresholds.keys() - set(class_names)
    if unknown:
        raise ModelMismatchError(
            f"{source}: score_thresholds: '{min(unknown)}' is none of the classes {', '.join(class_names)}"
        )
    heads = _heads(config)
    default = 0.0 if heads is None else heads.score_thresh_test
    return tuple(description.score_thresholds.get(name, default) for name in class_names)


def _version(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:VERSION_DIGITS]
