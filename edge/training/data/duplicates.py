"""Frames that show the same steel: copies, recompressed or relit ones, and windows that overlap.

Such frames must not be parted between learning and validation: a model would be judged on what it has seen.

The brightness of a frame tells little, since all frames of a line are lit alike; so each picture becomes a
small *relief*, in which every place has the same contrast. Its strongest points get words: bits that say
which of two places nearby is brighter (M. Calonder et al., "BRIEF", 2010). Frames that share words at one
and the same shift are candidates, found by sorting all words instead of comparing all frames. The
correlation of the two reliefs, where they overlap at that shift, decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.data.progress import Progress, untold
from edge.training.dataset import LabelledFrame

Relief = npt.NDArray[np.int8]
"""(H, W), in 32nds of the contrast: 12,568 of Severstal's frames take 320 MB."""

# Measured on the 1,440 pictures of NEU-DET, of which 906 overlap another one: nearly all of the 930 pairs
# above 0.5 are above 0.65, and those that were looked at do overlap. Pairs about 0.3 are straight scratches
# that look alike. Among Severstal's frames, only those of chequer plate are above.
SAME_STEEL = 0.5
"""Correlation from which two frames count as one piece of steel."""

_RELIEF_HEIGHT_PX = 64  # of the picture's shorter side
_CONTRAST_FLOOR = 2.0  # grey levels; below it is noise, which is not to be raised to structure
_LEVELS = 32  # of a relief, to one standard deviation
_POINTS_PER_AREA = 1 / 64  # of the relief: so many px to a point
_PATCH_RADIUS_PX = 5
_WORDS, _BITS = 8, 28  # of each point
_MOST_FREQUENT = 24  # points that share a word; more of them are a common pattern, and no sign of kinship
_SHIFT_STEP_PX = 2
_MOST_FRAMES, _SHIFTS = 1 << 20, 1 << 11  # so that two frames and a shift fit into 62 bits
_FEWEST_VOTES = 3
_SMALLEST_OVERLAP = 0.2  # part of the frame


@dataclass(frozen=True, slots=True, order=True)
class Duplicates:
    """Two frames, by their place in the list, that show the same steel."""

    first: int
    second: int
    correlation: float


def relief(image: npt.NDArray[np.uint8]) -> Relief:
    """Shrink a (H, W) picture to a shorter side of 64 px and level it: mean 0 and contrast 1 everywhere."""
    height, width = image.shape
    scale = _RELIEF_HEIGHT_PX / min(height, width)
    size = round(width * scale), round(height * scale)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = small - cv2.GaussianBlur(small, (0, 0), 3)
    contrast = np.sqrt(cv2.GaussianBlur(detail**2, (0, 0), 6)) + _CONTRAST_FLOOR
    return np.clip(np.rint(_LEVELS * detail / contrast), -127, 127).astype(np.int8)


def find_duplicates(frames: Sequence[LabelledFrame], progress: Progress = untold) -> list[Duplicates]:
    """Pairs of frames that show the same steel.

    Raises:
        CorruptImageError: a picture cannot be read.
    """
    reliefs = []
    for done, frame in enumerate(frames, start=1):
        reliefs.append(relief(frame.read_picture()))
        progress(done, len(frames))
    return same_steel(reliefs)


def same_steel(reliefs: Sequence[Relief], least: float = SAME_STEEL) -> list[Duplicates]:
    """Pairs of reliefs whose correlation at some shift is ``least`` or more."""
    best: dict[tuple[int, int], float] = {}
    for first, second, y, x in _candidates(reliefs):
        known = best.get((first, second), -1.0)
        if known < SAME_STEEL:
            found = correlation_at(reliefs[first], reliefs[second], y, x)
            best[first, second] = max(known, found)
    return sorted(Duplicates(*pair, value) for pair, value in best.items() if value >= least)


def _candidates(reliefs: Sequence[Relief]) -> Iterator[tuple[int, int, int, int]]:
    """Frames with words in common, and the shift (y, x) in px of the relief: first[y0 + y] is second[y0]."""
    points = [_points(item) for item in reliefs]
    frame = np.repeat(np.arange(len(points)), [len(item) for item in points])
    place = np.concatenate([np.zeros((0, 2), np.int64), *points])
    codes = np.concatenate([np.zeros((0, _WORDS), np.int64), *map(_words, reliefs, points)])
    votes = [_votes(codes[:, number], frame, place) for number in range(_WORDS)]
    shifts, counts = np.unique(np.concatenate(votes), return_counts=True)
    enough = counts >= _FEWEST_VOTES
    # The best supported shifts first: most pairs are decided by their first one.
    for vote in shifts[enough][np.argsort(-counts[enough], kind="stable")].tolist():
        pair, shift = divmod(vote, _SHIFTS**2)
        y, x = ((part - _SHIFTS // 2) * _SHIFT_STEP_PX for part in divmod(shift, _SHIFTS))
        yield *divmod(pair, _MOST_FRAMES), y, x


def _smooth(item: Relief) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(item.astype(np.float32), (0, 0), 1), dtype=np.float32)


def _points(item: Relief) -> npt.NDArray[np.int64]:
    """(N, 2): y, x of the strongest extremes that are far enough from the edge, at most so many an area."""
    smooth = _smooth(item)
    strength = np.abs(smooth)
    extreme = strength == cv2.dilate(strength, np.ones((5, 5), np.uint8))
    inside = np.zeros(item.shape, np.bool_)
    margin = _PATCH_RADIUS_PX
    inside[margin:-margin, margin:-margin] = True
    y, x = np.nonzero(extreme & inside & (strength > 0))
    strongest = np.argsort(-strength[y, x], kind="stable")[: int(item.size * _POINTS_PER_AREA)]
    return np.stack([y[strongest], x[strongest]], axis=1)


def _compared_places() -> npt.NDArray[np.int64]:
    """(2, words, bits, 2): the two places around a point whose brightness makes a bit; always the same."""
    spread = np.random.default_rng(1).normal(0, _PATCH_RADIUS_PX / 2, (2, _WORDS, _BITS, 2))
    return np.clip(np.rint(spread), -_PATCH_RADIUS_PX, _PATCH_RADIUS_PX).astype(np.int64)


_PLACES = _compared_places()


def _words(item: Relief, points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(N, words): the bits of each point as numbers."""
    flat, width = _smooth(item).ravel(), item.shape[1]
    at = points @ (width, 1)
    # Numbers of pixels in place of y and x: one look-up a place, which is where the time goes.
    one, other = (flat.take(at[:, None, None] + places @ (width, 1)) for places in _PLACES)
    return np.asarray((one > other) @ (1 << np.arange(_BITS)), dtype=np.int64)


def _votes(
    codes: npt.NDArray[np.int64], frame: npt.NDArray[np.int64], place: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """(N,): for each two points that share the word, both frames and the shift in steps, as one number."""
    _, group, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    telling = np.flatnonzero((sizes[group] > 1) & (sizes[group] <= _MOST_FREQUENT))
    order = telling[np.lexsort((frame[telling], group[telling]))]
    group, frame, place = group[order], frame[order], place[order]
    found = []
    for distance in range(1, _MOST_FREQUENT):
        here = np.flatnonzero(group[:-distance] == group[distance:])
        here = here[frame[here] != frame[here + distance]]
        shift = np.rint((place[here] - place[here + distance]) / _SHIFT_STEP_PX).astype(np.int64)
        y, x = (shift + _SHIFTS // 2).T
        found.append(((frame[here] * _MOST_FRAMES + frame[here + distance]) * _SHIFTS + y) * _SHIFTS + x)
    return np.concatenate(found)


def correlation_at(first: Relief, second: Relief, y: int, x: int) -> float:
    """The highest correlation of two reliefs about a shift, where they overlap; 0 where they hardly do."""
    around = range(-_SHIFT_STEP_PX, _SHIFT_STEP_PX + 1)
    return max(_correlation(first, second, y + dy, x + dx) for dy in around for dx in around)


def _correlation(first: Relief, second: Relief, y: int, x: int) -> float:
    if first.shape != second.shape:
        return 0.0
    height, width = first.shape
    if max(0, height - abs(y)) * max(0, width - abs(x)) < _SMALLEST_OVERLAP * first.size:
        return 0.0
    one = first[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
    other = second[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
    detail, of_other = _without_streaks(one), _without_streaks(other)
    scale = float(np.sqrt((detail**2).sum() * (of_other**2).sum()))
    return float((detail * of_other).sum()) / scale if scale else 0.0


def _without_streaks(part: Relief) -> npt.NDArray[np.float32]:
    """Take away what goes straight through, along or across: streaks and edges of the strip are all alike."""
    item = part.astype(np.float32)
    item -= item.mean(axis=0, keepdims=True)
    item -= item.mean(axis=1, keepdims=True)
    return item


def groups_of(count: int, pairs: Iterable[Duplicates]) -> list[list[int]]:
    """Frames that belong together, directly or by way of others; in the order of their first ones."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for pair in pairs:
        low, high = sorted((root(pair.first), root(pair.second)))
        parent[high] = low
    groups: dict[int, list[int]] = {}
    for index in range(count):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())
