"""Two models on the same frames: what they find, how long they take, and how good they are."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.cli.evaluation import Engine
from edge.errors import ModelMismatchError
from edge.pipeline.decode import Image, decode_image
from edge.settings import PipelineSettings
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.classes import ClassOrder
from edge.training.evaluation.detect import LOWEST_SCORE
from edge.training.evaluation.differences import Difference, above, difference
from edge.training.evaluation.judge import evaluate_detections
from edge.training.evaluation.labelled import LabelledSet, picture_of
from edge.training.evaluation.record import Evaluation
from edge.training.samples import Sample
from edge.vision.detections import Detections
from edge.vision.model_folder import ModelFolder, read_model_folder
from edge.vision.runtime import Runtime
from producers.images import find_images


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Frames by name, each with a function that reads it; ``labels`` where there are any."""

    name: str
    frames: Sequence[tuple[str, Callable[[], Image]]]
    labels: LabelledSet | None


@dataclass
class Contestant:
    """A model and how it runs; ``found`` on each frame above its thresholds, in ``seconds`` each."""

    engine: Engine
    folder: ModelFolder
    found: list[Detections] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    evaluation: Evaluation | None = None


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """What came of it; ``class_names`` are those of ``found``, and of the pictures."""

    source: FrameSource
    class_names: tuple[str, ...]
    first: Contestant
    second: Contestant
    differences: list[Difference]


def labelled_frames(labelled: LabelledSet, most: int | None) -> FrameSource:
    """Take the frames of a labelled set."""
    labelled = replace(labelled, frames=labelled.frames[:most])
    frames = [(frame.name, partial(_picture, frame)) for frame in labelled.frames]
    return FrameSource(labelled.name, frames, labelled)


def unlabelled_frames(place: str, most: int | None) -> FrameSource:
    """Take image files, about which nothing is known.

    Raises:
        ImageSourceError: there are none.
    """
    paths = list(islice(find_images(place), most))
    return FrameSource(place, [(path.name, partial(_read, path)) for path in paths], None)


def compare_on(source: FrameSource, first: Engine, second: Engine) -> ModelComparison:
    """Let both look at each frame in turn.

    Raises:
        ModelMismatchError: they do not speak of the same classes, or not of those of the labels.
        ModelError: one cannot be served.
        FrameError: a frame cannot be read.
    """
    one, other = (Contestant(engine, read_model_folder(engine.folder)) for engine in (first, second))
    names = source.labels.class_names if source.labels else one.folder.class_names
    orders = {id(side): _order(side.folder, names) for side in (one, other)}
    raw = _look(source, one, other)
    for side, found in zip((one, other), raw, strict=True):
        order = orders[id(side)]
        in_order = [order.detections(each) for each in found]
        thresholds = order.to_data(side.folder.score_thresholds)
        side.found = [above(each, thresholds) for each in in_order]
        if source.labels is not None:
            side.evaluation = evaluate_detections(
                source.labels.frames,
                in_order,
                names,
                thresholds=thresholds,
                has_masks=source.labels.has_masks,
            )
    differences = [difference(a, b) for a, b in zip(one.found, other.found, strict=True)]
    return ModelComparison(source, names, one, other, differences)


def _order(folder: ModelFolder, names: Sequence[str]) -> ClassOrder:
    try:
        return ClassOrder(folder.class_names, names)
    except ModelMismatchError as error:
        raise ModelMismatchError(f"{folder.config_file.parent}: {error}") from None


def _look(source: FrameSource, *sides: Contestant) -> list[list[Detections]]:
    """Return what each found, and note how long each took; who begins changes from frame to frame."""
    lowest = LOWEST_SCORE if source.labels is not None else None
    runtimes = [side.engine.load(score_threshold=lowest) for side in sides]
    found: list[list[Detections]] = [[] for _ in sides]
    with _progress() as bar:
        for number, (_, read) in enumerate(bar.track(source.frames)):
            image = read()
            for index in _in_turn(number, len(sides)):
                detections, took_s = _timed(runtimes[index], image)
                found[index].append(detections)
                sides[index].seconds.append(took_s)
    for runtime in runtimes:
        runtime.close()
    return found


def _in_turn(number: int, sides: int) -> Sequence[int]:
    return range(sides) if number % 2 == 0 else range(sides - 1, -1, -1)


def _timed(runtime: Runtime, image: Image) -> tuple[Detections, float]:
    started = time.perf_counter()
    (detections,) = runtime.infer([image])
    return detections, time.perf_counter() - started


def _picture(frame: Sample | LabelledFrame) -> Image:
    return picture_of(frame).image


def _read(path: Path) -> Image:
    image = decode_image(path.read_bytes(), max_pixels=PipelineSettings().max_pixels)
    return np.ascontiguousarray(image)


def _progress() -> Progress:
    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
