"""The frames that a model is judged on: a labelled set, a fold of one, or strip drawn in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import DatasetError
from edge.training.data import open_dataset, rle
from edge.training.data.severstal import CLASS_NAMES, components
from edge.training.data.split import read_split
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.samples import Instance, Sample
from edge.training.synthetic.strip import SyntheticFrame
from edge.training.synthetic.write import StripSettings, encode_as_severstal, table_rows


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Frames in memory or in files, with one list of classes."""

    name: str
    class_names: tuple[str, ...]
    frames: tuple[Sample | LabelledFrame, ...]
    has_masks: bool = True


def from_files(data: Path, split: Path | None = None, fold: int | None = None) -> LabelledSet:
    """Open a labelled set; of a split, the frames of one fold.

    Raises:
        DatasetError: the set or the split cannot be read, or the set has no frame of that fold.
    """
    dataset = open_dataset(data)
    if split is None or fold is None:
        return LabelledSet(dataset.name, dataset.class_names, dataset.frames, dataset.has_masks)
    frames = _of_fold(dataset, split, fold)
    return LabelledSet(
        f"{dataset.name}, fold {fold} of {split.name}", dataset.class_names, frames, dataset.has_masks
    )


def drawn(frames: int, *, seed: int, balanced: bool) -> LabelledSet:
    """Draw synthetic strip, pixel for pixel as ``stripsight data synthesize`` writes it."""
    settings = StripSettings(frames, seed, balanced=balanced)
    strip = settings.strip()
    samples = tuple(_sample(settings.name(index), strip.frame(index)) for index in range(frames))
    mix = "balanced" if balanced else "natural"
    return LabelledSet(f"synthetic strip, seed {seed}, {mix} mix", CLASS_NAMES, samples)


def _of_fold(dataset: Dataset, split: Path, fold: int) -> tuple[LabelledFrame, ...]:
    folds = read_split(split)
    frames = tuple(frame for frame in dataset.frames if folds.get(frame.name) == fold)
    if not frames:
        raise DatasetError(f"{split}: puts no frame of {dataset.name} into fold {fold}")
    return frames


def _sample(name: str, frame: SyntheticFrame) -> Sample:
    coded = np.frombuffer(encode_as_severstal(frame.image), np.uint8)
    image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    instances: list[Instance] = []
    for _, class_id, runs in table_rows(name, frame.image.shape, frame.defects):
        instances += components(class_id - 1, rle.parse_runs(runs, image.size))
    return Sample(image, tuple(instances), name=name)


def picture_of(frame: Sample | LabelledFrame) -> Sample:
    """The frame with its picture.

    Raises:
        CorruptImageError: its file cannot be read.
    """
    return frame if isinstance(frame, Sample) else frame.read()


def names_of(frames: Sequence[Sample | LabelledFrame]) -> list[str]:
    """The frames' file names."""
    return [frame.name for frame in frames]
