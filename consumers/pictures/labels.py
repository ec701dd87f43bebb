"""Where labels go, so that they hide neither each other nor the defects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of pixels, from (x, y)."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: "Rect") -> float:
        """Pixels that both cover."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(width, 0.0) * max(height, 0.0)

    def inside(self, width: float, height: float) -> "Rect":
        """Return the rectangle moved so that it lies within an area that begins at (0, 0)."""
        x = min(max(self.x, 0.0), max(width - self.width, 0.0))
        y = min(max(self.y, 0.0), max(height - self.height, 0.0))
        return Rect(x, y, self.width, self.height)


def place_labels(
    boxes: Sequence[Rect], sizes: Sequence[tuple[float, float]], *, width: float, height: float, gap: float
) -> list[Rect | None]:
    """Return a place for the label of each box, within an area of ``width`` x ``height``.

    Boxes come in the order of their importance. Of the places around and in its box, a label takes the one
    that hides least of all boxes. Labels never cover each other: where a crowd leaves no room, the label of
    the less important box is left out.
    """
    placed: list[Rect | None] = []
    for box, size in zip(boxes, sizes, strict=True):
        candidates = [place.inside(width, height) for place in _candidates(box, size, gap)]
        free = [place for place in candidates if not _covers_any(place, placed)]
        placed.append(min(free, key=lambda place: _hidden(place, boxes), default=None))
    return placed


def _candidates(box: Rect, size: tuple[float, float], gap: float) -> Iterator[Rect]:
    """Places for a label, the best first; a tie goes to the earlier one."""
    label_width, label_height = size
    left, right = box.x, box.x + box.width - label_width
    above, below = box.y - label_height - gap, box.y + box.height + gap
    for y in (above, below):
        yield Rect(left, y, label_width, label_height)
        yield Rect(right, y, label_width, label_height)
    step = label_height + gap
    for x in (box.x + box.width + gap, box.x - label_width - gap, left + gap):
        for row in range(int(max(box.height, step) // step)):
            yield Rect(x, box.y + gap + row * step, label_width, label_height)


def _covers_any(place: Rect, placed: Sequence[Rect | None]) -> bool:
    return any(label is not None and place.overlap(label) > 0 for label in placed)


def _hidden(place: Rect, boxes: Sequence[Rect]) -> float:
    return sum(place.overlap(box) for box in boxes)
