"""What a labelled set is like: classes, their sizes and places, and the steel's grey levels.

The record is drawn in the report, printed by ``stripsight data stats``, and compared when a synthetic strip
has to be like a real one.
"""

from collections import Counter
from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from edge.training.data.grey import Contrast, GreyMeter, GreyStatistics
from edge.training.data.percentiles import Percentiles
from edge.training.data.progress import Progress, untold
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.samples import Instance

POSITION_ROWS, POSITION_COLUMNS = 8, 32
_TALL_RATIO = 2.0


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """Part of the defects (0 to 1) that touch an edge of the frame."""

    top: float
    bottom: float
    left: float
    right: float


class ClassStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One class; percentiles are null where it does not occur, or was not measured."""

    name: str
    frames: int
    """Frames that show the class."""
    defects: int
    """Connected components of its masks, or annotations where the set lists defects one by one."""
    defects_per_frame: Percentiles | None
    """On frames that show the class."""
    area_per_frame_px: Percentiles | None
    """Area of all its defects on a frame that shows the class."""
    height_px: Percentiles | None
    """Of a defect's box, along the strip."""
    width_px: Percentiles | None
    """Of a defect's box, across the strip."""
    area_px: Percentiles | None
    """Of a defect's mask."""
    height_by_width: Percentiles | None
    """Of a defect's box."""
    fill: Percentiles | None
    """Part of its box that a defect's mask fills; 1 where the set has boxes alone."""
    tall: float
    """Part of the defects that are more than twice as high as wide."""
    wide: float
    """Part of the defects that are more than twice as wide as high."""
    touches: Edges
    positions: list[list[float]]
    """(8, 32): where on the frame the pixels of its masks lie; the parts add up to 1, or are all 0."""
    contrast: Contrast | None
    """Against the steel around; null where no picture was read."""


class Combination(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that show exactly these classes; no class: clean ones."""

    class_ids: list[int]
    frames: int


class DatasetStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled set in figures."""

    name: str
    class_names: list[str]
    has_masks: bool
    frames: int
    clean_frames: int
    defects: int
    sizes_px: list[tuple[int, int, int]]
    """Width, height, and how many frames have them; the most frequent first."""
    defect_part: float
    """Part of all pixels that lie within defects."""
    classes: list[ClassStatistics]
    """In the order of ``class_names``."""
    combinations: list[Combination]
    """The most frequent first."""
    co_occurrence: list[list[int]]
    """(classes, classes): frames that show both; on the diagonal, frames that show the class."""
    grey: GreyStatistics | None
    """Of the pictures that were read; null if none was."""


def describe(dataset: Dataset, pictures: int | None = None, progress: Progress = untold) -> DatasetStatistics:
    """Count the labels of all frames, and measure the grey levels of so many pictures (None: of all).

    The pictures are evenly spread over the set.

    Raises:
        CorruptImageError: a picture cannot be read.
        DatasetError: a mask is broken.
    """
    by_frame = [(frame, tuple(frame.instances)) for frame in dataset.frames]
    combinations = Counter(tuple(sorted({i.class_id for i in instances})) for _, instances in by_frame)
    meter = GreyMeter()
    chosen = evenly_spread(dataset.frames, pictures)
    for done, frame in enumerate(chosen, start=1):
        meter.add(frame.read())
        progress(done, len(chosen))
    pixels = sum(frame.height_px * frame.width_px for frame in dataset.frames)
    return DatasetStatistics(
        name=dataset.name,
        class_names=list(dataset.class_names),
        has_masks=dataset.has_masks,
        frames=len(by_frame),
        clean_frames=combinations[()],
        defects=sum(len(instances) for _, instances in by_frame),
        sizes_px=[
            (width, height, count)
            for (width, height), count in Counter(
                (f.width_px, f.height_px) for f in dataset.frames
            ).most_common()
        ],
        defect_part=sum(i.mask.area_px for _, found in by_frame for i in found) / pixels if pixels else 0.0,
        classes=[
            _class_statistics(class_id, name, by_frame, meter.contrast(class_id))
            for class_id, name in enumerate(dataset.class_names)
        ],
        combinations=[
            Combination(class_ids=list(class_ids), frames=count)
            for class_ids, count in combinations.most_common()
        ],
        co_occurrence=_co_occurrence(combinations, len(dataset.class_names)),
        grey=meter.statistics(),
    )


def evenly_spread(frames: Sequence[LabelledFrame], wanted: int | None) -> Sequence[LabelledFrame]:
    """So many frames at even distances, or all if there are no more than that, or None is wanted."""
    if wanted is None or wanted >= len(frames):
        return frames
    return [frames[(2 * number + 1) * len(frames) // (2 * wanted)] for number in range(wanted)]


def _class_statistics(
    class_id: int,
    name: str,
    by_frame: Sequence[tuple[LabelledFrame, tuple[Instance, ...]]],
    contrast: Contrast | None,
) -> ClassStatistics:
    of_frames = [
        (frame, found)
        for frame, instances in by_frame
        if (found := [instance for instance in instances if instance.class_id == class_id])
    ]
    masks = [instance.mask for _, found in of_frames for instance in found]
    heights, widths, areas = (
        np.array([(mask.height, mask.width, mask.area_px) for mask in masks], np.float64).reshape(-1, 3).T
    )
    return ClassStatistics(
        name=name,
        frames=len(of_frames),
        defects=len(masks),
        defects_per_frame=Percentiles.of([len(found) for _, found in of_frames]),
        area_per_frame_px=Percentiles.of([sum(i.mask.area_px for i in found) for _, found in of_frames]),
        height_px=Percentiles.of(heights),
        width_px=Percentiles.of(widths),
        area_px=Percentiles.of(areas),
        height_by_width=Percentiles.of(heights / widths),
        fill=Percentiles.of(areas / (heights * widths)),
        tall=_part(heights > _TALL_RATIO * widths),
        wide=_part(widths > _TALL_RATIO * heights),
        touches=_touches(of_frames),
        positions=_positions(of_frames),
        contrast=contrast,
    )


_FoundOnFrames = Sequence[tuple[LabelledFrame, Sequence[Instance]]]


def _part(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else 0.0


def _touches(of_frames: _FoundOnFrames) -> Edges:
    touching = [
        (y0 == 0, y1 == frame.height_px, x0 == 0, x1 == frame.width_px)
        for frame, found in of_frames
        for x0, y0, x1, y1 in (instance.box_px for instance in found)
    ]
    top, bottom, left, right = (_part(side) for side in np.array(touching, np.bool_).reshape(-1, 4).T)
    return Edges(top=top, bottom=bottom, left=left, right=right)


def _positions(of_frames: _FoundOnFrames) -> list[list[float]]:
    pixels_by_size: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
    for frame, found in of_frames:
        size = frame.height_px, frame.width_px
        pixels = pixels_by_size.setdefault(size, np.zeros(size))
        for instance in found:
            x0, y0, x1, y1 = instance.box_px
            pixels[y0:y1, x0:x1] += instance.mask.decode()
    bins = np.zeros((POSITION_ROWS, POSITION_COLUMNS))
    for (height, width), pixels in pixels_by_size.items():
        # A pixel between two bins counts in both: else widths that 32 does not divide show waves.
        means = cv2.resize(pixels, (POSITION_COLUMNS, POSITION_ROWS), interpolation=cv2.INTER_AREA)
        bins += means * height * width
    parts: list[list[float]] = (bins / (bins.sum() or 1.0)).tolist()
    return parts


def _co_occurrence(combinations: Counter[tuple[int, ...]], classes: int) -> list[list[int]]:
    together = [[0] * classes for _ in range(classes)]
    for class_ids, frames in combinations.items():
        for first in class_ids:
            for second in class_ids:
                together[first][second] += frames
    return together
