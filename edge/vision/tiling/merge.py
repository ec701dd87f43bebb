"""What was found on overlapping tiles becomes what is on the frame: each defect once, and whole.

Neighbours share their overlap at its middle: each tile answers for its core. A detection that lies in the
core of its tile is seen whole there and counts as it is. One that reaches out of it is a view of something
that a neighbour sees as well, or better:

1. what a neighbour has found whole is told by it already, and the view is dropped;
2. views that agree where both tiles look are one object, which is as large as all of them together.

Anything else counts as it is: rather twice than not at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edge.contracts.mask import Mask
from edge.vision.detections import Detections
from edge.vision.tiling.plan import Tile
from edge.vision.tiling.region import Region, united

Box = tuple[float, float, float, float]

# This much of a view lies within what a neighbour found whole: then that is what it shows.
_TOLD_PART = 0.5
# This much of the smaller of two views is in both, of what both tiles see. Two views of one scratch still
# have that when they lie a third of its width apart; two scratches side by side have nothing.
_AGREEING_PART = 0.5


@dataclass(frozen=True)
class View:
    """A detection in px of the frame, and the tile that it was found on."""

    tile: Tile
    box: Box
    score: float
    class_id: int
    mask: Mask | None

    @property
    def order(self) -> tuple[float, int, Box]:
        """Best first; among equals by what they are, and never by the order in which they came."""
        return -self.score, self.class_id, self.box

    @cached_property
    def is_whole(self) -> bool:
        """Whether it lies in the part of the frame that its tile answers for."""
        (x0, y0, x1, y1), core = self.box, self.tile.core
        return core.x0 <= x0 and core.y0 <= y0 and x1 <= core.x1 and y1 <= core.y1

    @cached_property
    def region(self) -> Region:
        """Its pixels."""
        return Region.of(self.box, self.mask)


def merge(tiles: Sequence[Tile], found: Sequence[Detections]) -> Detections:
    """Merge the detections of a frame's tiles.

    Args:
        tiles: of one frame.
        found: on each of them, in px of the tile.

    Returns:
        The frame's detections in its own px, best first; none is merged with one of another class.
    """
    views = sorted(_views(tiles, found), key=lambda view: view.order)
    wholes = [view for view in views if view.is_whole]
    partial = [view for view in views if not view.is_whole and not _is_told(view, wholes)]
    objects = wholes + [_joined(group) for group in _groups(partial)]
    objects.sort(key=lambda view: view.order)
    # Of a tile without detections nobody can tell: a screen that lets it go does not know the model.
    has_masks = all(detections.masks is not None for detections in found if len(detections))
    screenings = [detections.screening for detections in found if detections.screening]
    return replace(
        _detections(objects, has_masks=has_masks),
        screening=max(screenings, key=lambda screening: screening.score, default=None),
    )


def _views(tiles: Sequence[Tile], found: Sequence[Detections]) -> Iterator[View]:
    for tile, on_tile in zip(tiles, found, strict=True):
        moved = on_tile.moved(tile.area.x0, tile.area.y0)
        boxes, masks = moved.boxes.tolist(), moved.masks or [None] * len(moved)
        for box, score, class_id, mask in zip(
            boxes, moved.scores.tolist(), moved.classes.tolist(), masks, strict=True
        ):
            yield View(tile, tuple(box), score, class_id, mask)


def _is_told(view: View, wholes: Sequence[View]) -> bool:
    told = sum(
        view.region.shared_with(whole.region)
        for whole in wholes
        if whole.class_id == view.class_id and whole.tile is not view.tile and _meet(whole.box, view.box)
    )
    return told >= _TOLD_PART * view.region.area


def _groups(views: Sequence[View]) -> list[list[View]]:
    """Put views together that agree, directly or through others; groups and their views are best first."""
    groups: list[list[View]] = []
    for view in views:
        same = [group for group in groups if any(_agree(view, other) for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([*(other for group in same for other in group), view])
    return groups


def _agree(one: View, other: View) -> bool:
    if one.class_id != other.class_id or one.tile is other.tile or not _meet(one.box, other.box):
        return False
    seen_by_both = one.tile.area.common(other.tile.area)
    ours, theirs = one.region.within(seen_by_both), other.region.within(seen_by_both)
    smaller = min(ours.area, theirs.area)
    return smaller > 0 and ours.shared_with(theirs) >= _AGREEING_PART * smaller


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _joined(group: Sequence[View]) -> View:
    """Return one view that is as large as all of them, and as sure as the surest."""
    best = min(group, key=lambda view: view.order)
    if len(group) == 1:
        return best
    boxes, masks = np.array([view.box for view in group]), [view.mask for view in group if view.mask]
    corners = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    return View(best.tile, corners, best.score, best.class_id, united(masks) if masks else None)


def _detections(objects: Sequence[View], *, has_masks: bool) -> Detections:
    return Detections(
        boxes=np.array([view.box for view in objects], np.float32).reshape(-1, 4),
        scores=np.array([view.score for view in objects], np.float32),
        classes=np.array([view.class_id for view in objects], np.int64),
        masks=tuple(view.mask for view in objects if view.mask is not None) if has_masks else None,
    )
