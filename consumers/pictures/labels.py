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


# Two labels on top of each other cannot be read; a label on a defect hides something, but not all of it.
_COST_OF_LABEL = 20.0
_COST_OF_BOX = 1.0


def place_labels(
    boxes: Sequence[Rect], sizes: Sequence[tuple[float, float]], *, width: float, height: float, gap: float
) -> list[Rect]:
    """Return a place for the label of each box, within an area of ``width`` x ``height``.

    Boxes come in the order of their importance: the first gets the best place. Of the places around and in
    its box, a label takes the one that hides least.
    """
    placed: list[Rect] = []
    for index, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        others = [*boxes[:index], *boxes[index + 1 :]]
        candidates = [place.inside(width, height) for place in _candidates(box, size, gap)]
        placed.append(min(candidates, key=lambda place: _cost(place, box, others, placed)))
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


def _cost(place: Rect, box: Rect, others: Sequence[Rect], placed: Sequence[Rect]) -> float:
    on_labels = sum(place.overlap(label) for label in placed)
    on_boxes = sum(place.overlap(other) for other in others) + place.overlap(box)
    return _COST_OF_LABEL * on_labels + _COST_OF_BOX * on_boxes
