"""From the data sets of a command to what is learned from and what the model is judged on."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import DatasetError, ModelMismatchError, SettingsError
from edge.training.data import open_dataset
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.engine.choices import Augmentation
from edge.training.engine.config import TrainingConfig
from edge.training.engine.sampling import BalancedClasses, build_order
from edge.training.engine.stream import Frames, PastedDefects, Preparation, Source, TrainingStream
from edge.vision.model_folder import HEADS


@dataclass(frozen=True, slots=True)
class Share:
    """A place of data and its share of the draws; None for what it gives by itself."""

    path: Path | None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Share":
        """Read ``DIR=SHARE``, ``DIR`` or ``SHARE``.

        Raises:
            SettingsError: the share is no positive number.
        """
        path, equals, number = text.rpartition("=")
        if Path(text).exists() or (not equals and not _is_number(text)):
            return cls(Path(text))
        if not _is_number(number) or not 0 < float(number) < math.inf:
            raise SettingsError(
                f"{text}: '{number}' is no share; a share is a positive number, as in DIR=0.5"
            )
        return cls(Path(path) if path else None, float(number))


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where frames come from and how they are drawn.

    ``data``: sets to learn from; ``paste``: share of the draws that show defects of a set (of all of them, if
    it names none) on other frames of it; ``validation``: sets to judge the model on; ``folds``: the fold of
    each frame by name, of which ``fold`` is kept for validation.
    """

    data: tuple[Share, ...]
    paste: Share | None = None
    validation: tuple[Path, ...] = ()
    folds: Mapping[str, int] | None = None
    fold: int | None = None
    balance: bool = False
    augmentation: Augmentation = Augmentation.NONE


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Opened sets: ``learn`` in the order of the options, ``judge`` by name; ``notes`` for the operator."""

    learn: tuple[Dataset, ...]
    judge: dict[str, Dataset]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def frame_px(self) -> tuple[int, int]:
        """(width, height) of the frames to learn from, the largest of each."""
        frames = [frame for dataset in self.learn for frame in dataset.frames]
        return max(frame.width_px for frame in frames), max(frame.height_px for frame in frames)

    def identity(self) -> dict[str, str]:
        """What must not change within a run: a model's best weights and figures would not be comparable.

        Nor would they be honest, if the model had learned from what another fold keeps for validation.
        """
        frames = [frame.name for dataset in self.judge.values() for frame in dataset.frames]
        digest = hashlib.sha256("\n".join(sorted(frames)).encode(errors="surrogateescape")).hexdigest()
        return {"classes": ", ".join(self.class_names), "frames for validation": digest}


def open_sets(options: DataOptions, config: TrainingConfig) -> TrainingData:
    """Open and check all sets.

    Raises:
        DatasetError: a set cannot be read, nothing is left to learn from, or sets differ in their classes.
        ModelMismatchError: the config's classes or masks are not those of the data.
    """
    opened = [_opened(share.path, config) for share in options.data if share.path is not None]
    judged: dict[str, Dataset] = {}
    for path in options.validation:
        dataset = _opened(path, config)
        judged[_unused(dataset.name, judged)] = dataset
    _check_same_classes([*opened, *judged.values()])
    learn, notes = [], []
    for dataset in opened:
        kept = [f for f in dataset.frames if not _is_held_out(f, options)]
        held_out = [f for f in dataset.frames if _is_held_out(f, options)]
        if held_out:
            judged[_unused(f"{dataset.name}, fold {options.fold}", judged)] = dataset.only(held_out)
        if config.dataloader.filter_empty_annotations:
            clean = len(kept) - len(kept := [f for f in kept if f.instances])
            if clean:
                notes.append(
                    f"{dataset.name}: {clean} clean frames are left out, "
                    "for DATALOADER.FILTER_EMPTY_ANNOTATIONS is true, as Detectron2 has it by default"
                )
        if not kept:
            raise DatasetError(f"{dataset.name}: no frames are left to learn from")
        notes.append(f"{dataset.name}: {len(kept)} frames to learn from, {len(held_out)} kept for validation")
        learn.append(dataset.only([_decoded(frame) for frame in kept]))
    if options.folds is not None and not any(_is_held_out(f, options) for d in opened for f in d.frames):
        raise DatasetError(
            f"--fold {options.fold}: the split puts no frame of {', '.join(d.name for d in opened)} into it"
        )
    return TrainingData(tuple(learn), judged, opened[0].class_names, tuple(notes))


def build_stream(data: TrainingData, options: DataOptions, config: TrainingConfig) -> TrainingStream:
    """Draw from the sets by their shares, as config and options say.

    Raises:
        SettingsError: some sets have shares and others have none, or --paste names no set of --data.
    """
    seed = config.seed
    shares = [share.share for share in options.data]
    sources: list[tuple[Source, float]]
    if all(share is None for share in shares):
        # As Detectron2: several sets are one long set.
        everything = [frame for dataset in data.learn for frame in dataset.frames]
        sources = [(_frames(everything, options, config), 1.0)]
    elif None in shares:
        raise SettingsError("--data: either each set has a share, as in DIR=0.5, or none has")
    else:
        sources = [
            (_frames(dataset.frames, options, config), share)
            for dataset, share in zip(data.learn, shares, strict=True)
            if share is not None
        ]
    if options.paste is not None:
        pasted = options.paste.share or 0.0
        rest = (1.0 - pasted) / sum(share for _, share in sources)
        sources = [(source, share * rest) for source, share in sources]
        sources.append((PastedDefects(_pasted_frames(data, options, options.paste)), pasted))
    preparation = Preparation(config.input, options.augmentation, at_defects=options.balance)
    return TrainingStream(sources, preparation, seed=seed)


def _frames(frames: Sequence[LabelledFrame], options: DataOptions, config: TrainingConfig) -> Source:
    if options.balance:
        return Frames(frames, BalancedClasses([frame.class_ids for frame in frames]))
    return Frames(frames, build_order(frames, config.dataloader, config.seed))


def _pasted_frames(data: TrainingData, options: DataOptions, paste: Share) -> list[LabelledFrame]:
    paths = [share.path for share in options.data]
    if paste.path is not None and paste.path not in paths:
        raise SettingsError(f"--paste {paste.path}: is none of the sets of --data")
    if paste.share is None or paste.share >= 1:
        raise SettingsError("--paste: a share of the draws, between 0 and 1, as in 0.2 or DIR=0.2")
    frames = [
        frame
        for path, dataset in zip(paths, data.learn, strict=True)
        for frame in dataset.frames
        if paste.path in {None, path}
    ]
    if not any(frame.instances for frame in frames):
        raise DatasetError("--paste: there are no defects to paste")
    return frames


def _opened(path: Path, config: TrainingConfig) -> Dataset:
    dataset = open_dataset(path)
    model = config.model.model
    heads = HEADS.get(model.meta_architecture)
    wanted = getattr(model, heads.lower()).num_classes if heads else len(dataset.class_names)
    if len(dataset.class_names) != wanted:
        raise ModelMismatchError(
            f"{path}: has {len(dataset.class_names)} classes ({', '.join(dataset.class_names)}), "
            f"but MODEL.{heads}.NUM_CLASSES is {wanted}"
        )
    if not dataset.frames:
        raise DatasetError(f"{path}: holds no frames")
    if model.mask_on and not dataset.has_masks:
        raise ModelMismatchError(f"{path}: has boxes and no masks, but MODEL.MASK_ON is true")
    return dataset


def _check_same_classes(datasets: Sequence[Dataset]) -> None:
    first = datasets[0]
    for other in datasets[1:]:
        if other.class_names != first.class_names:
            raise DatasetError(
                f"{other.name} has the classes {', '.join(other.class_names)}, "
                f"{first.name} has {', '.join(first.class_names)}: one model needs one list"
            )


def _unused(name: str, names: Mapping[str, object]) -> str:
    """Tell sets apart whose folders have the same name."""
    number = 2
    wanted = name
    while name in names:
        name, number = f"{wanted} ({number})", number + 1
    return name


def _is_held_out(frame: LabelledFrame, options: DataOptions) -> bool:
    """Frames that the split does not list are learned from."""
    return (
        options.folds is not None
        and options.fold is not None
        and options.folds.get(frame.name) == options.fold
    )


def _decoded(frame: LabelledFrame) -> LabelledFrame:
    """The frame with its instances at hand: processes that draw are sent them once."""
    return replace(frame, instances=tuple(frame.instances))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
