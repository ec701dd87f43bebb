"""Detections in files: written by one evaluation, read by another, alone or pooled over folds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from edge.contracts.mask import Mask
from edge.errors import DatasetError
from edge.training.data.coco_masks import RunLengths, decode_segmentation
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.labelled import LabelledSet, names_of
from edge.training.evaluation.record import (
    DETECTIONS_FILE,
    EVALUATION_FILE,
    Evaluation,
    RunLength,
    StoredDetection,
    read_detections,
    read_evaluation,
)
from edge.training.evaluation.regions import whole_frame_runs
from edge.training.evaluation.truth import Truth, truth_of, truths_of
from edge.training.samples import Sample, tight_instance
from edge.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class Pooled:
    """Frames that files of detections are about, what was found on them, and which file each is from.

    ``models``: the names of the models that found it, where ``evaluation.json`` beside the files tells.
    """

    frames: LabelledSet
    found: list[Detections]
    folds: list[str]
    models: list[str]


def to_stored(frames: Sequence[Sample | LabelledFrame], found: Sequence[Detections]) -> list[StoredDetection]:
    """COCO's results, frame by frame."""
    pairs = zip(truths_of(frames), found, strict=True)
    return [entry for number, (truth, d) in enumerate(pairs, 1) for entry in _entries(number, truth, d)]


def from_stored(entries: Sequence[StoredDetection], size: tuple[int, int]) -> Detections:
    """Detections on one frame of ``size`` (height, width), best first.

    Raises:
        DatasetError: run lengths that are none.
    """
    entries = sorted(entries, key=lambda entry: -entry.score)
    boxes = np.array([entry.bbox for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    runs = [entry.segmentation for entry in entries if entry.segmentation is not None]
    masks = tuple(_mask(run, size) for run in runs) if len(runs) == len(entries) else None
    return Detections(
        boxes=boxes.astype(np.float32),
        scores=np.array([entry.score for entry in entries], np.float32),
        classes=np.array([entry.category_id - 1 for entry in entries], np.int64),
        masks=masks,
    )


def write(
    out: Path,
    evaluation: Evaluation,
    frames: Sequence[Sample | LabelledFrame],
    found: Sequence[Detections],
) -> None:
    """Write ``evaluation.json`` and ``detections.json`` into a folder, which is made if need be.

    Raises:
        OSError: it cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / EVALUATION_FILE).write_bytes(msgspec.json.encode(evaluation))
    (out / DETECTIONS_FILE).write_bytes(msgspec.json.encode(to_stored(frames, found)))


def pool(files: Sequence[Path], labelled: LabelledSet) -> Pooled:
    """Read files of detections that different models found on different frames of one set.

    A file is about the frames that ``evaluation.json`` beside it lists; a single file without one is about
    all frames.

    Raises:
        DatasetError: a file cannot be read, is about frames or classes that the set does not have, or about a
            frame that another file is about too.
    """
    by_name = {frame.name: frame for frame in labelled.frames}
    frames: list[Sample | LabelledFrame] = []
    found: list[Detections] = []
    folds: dict[str, str] = {}
    models: dict[str, None] = {}
    for file in files:
        evaluation = _beside(file)
        if evaluation is not None:
            models[evaluation.model_name] = None
        entries = _by_frame(file, classes=len(labelled.class_names))
        names = _frames_of(file, evaluation, labelled, single=len(files) == 1)
        for name in dict.fromkeys([*names, *entries]):
            if name not in by_name:
                raise DatasetError(f"{file}: is about {name}, which is no frame of {labelled.name}")
            if name in folds:
                raise DatasetError(f"{file}: is about {name}, which {folds[name]} is about too")
            folds[name] = str(file)
            frames.append(by_name[name])
            found.append(_found(file, by_name[name], entries.get(name, ())))
    return Pooled(replace(labelled, frames=tuple(frames)), found, list(folds.values()), list(models))


def _found(file: Path, frame: Sample | LabelledFrame, entries: Sequence[StoredDetection]) -> Detections:
    truth = truth_of(frame)
    try:
        return from_stored(entries, (truth.height_px, truth.width_px))
    except DatasetError as error:
        raise DatasetError(f"{file}: on {frame.name}: {error}") from error


def _entries(number: int, truth: Truth, found: Detections) -> Iterable[StoredDetection]:
    for index, (x0, y0, x1, y1) in enumerate(found.boxes.tolist()):
        yield StoredDetection(
            image_id=number,
            file_name=truth.name,
            category_id=int(found.classes[index]) + 1,
            bbox=(x0, y0, x1 - x0, y1 - y0),
            score=float(found.scores[index]),
            segmentation=None if found.masks is None else _runs(found.masks[index], truth),
        )


def _runs(mask: Mask, truth: Truth) -> RunLength:
    runs = whole_frame_runs(mask, truth.height_px, truth.width_px)
    return RunLength(size=(truth.height_px, truth.width_px), counts=runs["counts"].decode("ascii"))


def _mask(runs: RunLength, size: tuple[int, int]) -> Mask:
    whole = decode_segmentation(RunLengths(size=runs.size, counts=runs.counts), size)
    instance = tight_instance(0, whole, 0, 0)
    return instance.mask if instance is not None else Mask(x=0, y=0, width=0, height=0, counts=[])


def _by_frame(file: Path, *, classes: int) -> dict[str, list[StoredDetection]]:
    try:
        stored = read_detections(file)
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise DatasetError(f"{file}: {error}") from error
    by_frame: dict[str, list[StoredDetection]] = defaultdict(list)
    for number, entry in enumerate(stored, 1):
        if not 1 <= entry.category_id <= classes:
            raise DatasetError(
                f"{file}: detection {number} is of class {entry.category_id}, not 1 to {classes}"
            )
        by_frame[entry.file_name].append(entry)
    return by_frame


def _frames_of(
    file: Path, evaluation: Evaluation | None, labelled: LabelledSet, *, single: bool
) -> list[str]:
    if evaluation is not None:
        return [frame.file_name for frame in evaluation.by_frame]
    if single:
        return names_of(labelled.frames)
    raise DatasetError(
        f"{file}: {EVALUATION_FILE} is not beside it, and frames on which nothing was found are not told"
    )


def _beside(file: Path) -> Evaluation | None:
    try:
        return read_evaluation(file.parent)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise DatasetError(f"{file.parent / EVALUATION_FILE}: {error}") from error
