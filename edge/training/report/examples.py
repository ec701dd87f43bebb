"""Which frames are shown: typical ones of each class, and a model's best and worst."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge.errors import CorruptImageError
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.evaluation.record import Evaluation, FrameFigures, StoredDetection
from edge.training.report.pictures import Picture, Shape, embed, predicted_shapes, true_shapes
from edge.training.report.text import number

# Where in the order of a class's area a frame is looked for: a middling and a large one.
_PLACES = (0.5, 0.9)
_CLEAN = 1
_PREDICTIONS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """A frame with its labels."""

    picture: Picture
    truth: Sequence[Shape]
    caption: str


@dataclass(frozen=True, slots=True)
class Comparison(Example):
    """A frame with its labels and what the model found there."""

    prediction: Sequence[Shape]


def examples(dataset: Dataset) -> list[Example]:
    """Choose for each class a frame with a middling and one with a large area of it, and a clean frame.

    Frames whose picture cannot be read are passed over.
    """
    chosen: dict[str, Example] = {}
    for candidates in _candidates(dataset):
        fresh = (frame for frame in candidates if frame.name not in chosen)
        found = _first_readable(fresh, dataset.class_names)
        if found is not None:
            chosen[found.picture.name] = found
    return list(chosen.values())


def _candidates(dataset: Dataset) -> Iterator[list[LabelledFrame]]:
    """For each picture that is wanted the frames that would do, the most fitting first."""
    for class_id in range(len(dataset.class_names)):
        showing = [frame for frame in dataset.frames if class_id in frame.class_ids]
        ordered = sorted(showing, key=lambda frame: _area_px(frame, class_id))
        for place in _PLACES[: len(ordered)]:
            wanted = int(place * (len(ordered) - 1))
            yield [ordered[index] for index in sorted(range(len(ordered)), key=lambda i: abs(i - wanted))]
    clean = [frame for frame in dataset.frames if not frame.class_ids]
    for number_of_frame in range(_CLEAN):
        yield clean[number_of_frame * len(clean) // (_CLEAN + 1) :]


def _area_px(frame: LabelledFrame, class_id: int) -> int:
    return sum(instance.mask.area_px for instance in frame.instances if instance.class_id == class_id)


def _first_readable(frames: Iterable[LabelledFrame], class_names: Sequence[str]) -> Example | None:
    for frame in frames:
        try:
            picture = embed(frame)
        except CorruptImageError:
            continue
        truth = true_shapes(frame, class_names)
        shown = sorted(frame.class_ids)
        caption = ", ".join(class_names[class_id] for class_id in shown) if shown else "clean"
        return Example(picture, truth, caption)
    return None


def best_and_worst(
    dataset: Dataset, evaluation: Evaluation, detections: Sequence[StoredDetection]
) -> tuple[list[Comparison], list[Comparison]]:
    """Choose the frames with the highest and the lowest Dice; the best among those that show defects.

    Only detections above the evaluation's thresholds are shown. Frames that the data set does not have, or
    whose picture cannot be read, are passed over.
    """
    by_name: dict[str, list[StoredDetection]] = defaultdict(list)
    for detection in detections:
        by_name[detection.file_name].append(detection)
    frames = {frame.name: frame for frame in dataset.frames}
    judged = [figures for figures in evaluation.by_frame if figures.file_name in frames]
    defective = [figures for figures in judged if figures.defects]

    def compare(ordered: Sequence[FrameFigures]) -> list[Comparison]:
        found: list[Comparison] = []
        for figures in ordered:
            if len(found) == _PREDICTIONS:
                break
            chosen = _above(by_name[figures.file_name], evaluation)
            example = _first_readable([frames[figures.file_name]], dataset.class_names)
            if example is not None:
                found.append(_comparison(example, figures, chosen, dataset.class_names))
        return found

    best = compare(sorted(defective, key=lambda f: (-f.dice, f.false_alarms, -f.defects)))
    shown = {comparison.picture.name for comparison in best}
    worst = [f for f in judged if f.file_name not in shown and (f.dice < 1 or f.false_alarms)]
    return best, compare(sorted(worst, key=lambda f: (f.dice, -f.false_alarms - f.defects + f.found)))


def _above(detections: Sequence[StoredDetection], evaluation: Evaluation) -> list[StoredDetection]:
    thresholds = [figures.threshold for figures in evaluation.classes]
    return [d for d in detections if d.score > thresholds[d.category_id - 1]]


def _comparison(
    example: Example, figures: FrameFigures, detections: Sequence[StoredDetection], class_names: Sequence[str]
) -> Comparison:
    alarms = f", {figures.false_alarms} false" if figures.false_alarms else ""
    found = f"{figures.found} of {figures.defects} defects found" if figures.defects else "clean"
    return Comparison(
        picture=example.picture,
        truth=example.truth,
        caption=f"Dice {number(figures.dice)}; {found}{alarms}",
        prediction=predicted_shapes(detections, class_names, example.picture.width_px),
    )
