"""Detections on tiles become defects of the frame."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.mask import Mask
from edge.vision.detections import Detections
from edge.vision.tiling.merge import merge
from edge.vision.tiling.plan import Tile, plan_tiles

law = settings(deadline=None)  # a busy machine

WIDTH, HEIGHT = 150, 90
TILES = plan_tiles(WIDTH, HEIGHT, tile_width_px=64, tile_height_px=48, overlap_px=16)
ONE_ROW = plan_tiles(WIDTH, 48, tile_width_px=64, tile_height_px=48, overlap_px=16)

Object = tuple[int, float, Mask]  # class, score, pixels on the frame


@st.composite
def objects(draw: st.DrawFn) -> list[Object]:
    """Ellipses and rectangles of two classes, no two of one class with a pixel in common."""
    free = np.ones((2, HEIGHT, WIDTH), bool)
    drawn: list[Object] = []
    for number in range(draw(st.integers(0, 6))):
        class_id, x0, y0 = (draw(st.integers(0, most)) for most in (1, WIDTH - 6, HEIGHT - 6))
        width, height = draw(st.integers(6, WIDTH - x0)), draw(st.integers(6, HEIGHT - y0))
        crop = _shape(height, width, is_round=draw(st.booleans()))
        window = free[class_id, y0 : y0 + height, x0 : x0 + width]
        if (window | ~crop).all():
            window[crop] = False
            drawn.append((class_id, 0.9 - 0.05 * number, Mask.encode(crop, x=x0, y=y0)))
    return drawn


def _shape(height: int, width: int, *, is_round: bool) -> np.ndarray:
    y, x = (np.abs((np.arange(side) + 0.5) / side * 2 - 1) for side in (height, width))
    return y[:, None] ** 2 + x**2 <= 1 if is_round else np.ones((height, width), bool)


def seen(tile: Tile, drawn: Sequence[Object], *, masks: bool = True) -> Detections:
    """What a perfect model finds on a tile: of each object the part that is on it, in px of the tile."""
    boxes, scores, classes, parts = [], [], [], []
    x0, y0, x1, y1 = tile.area
    for class_id, score, mask in drawn:
        frame = np.zeros((HEIGHT, WIDTH), bool)
        frame[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = mask.decode()
        part = frame[y0:y1, x0:x1]
        if not part.any():
            continue
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        boxes.append((left, top, right, bottom))
        scores.append(score)
        classes.append(class_id)
        parts.append(Mask.encode(part[top:bottom, left:right], x=left, y=top))
    return detections(boxes, scores, classes, parts if masks else None)


def detections(
    boxes: Sequence[tuple[float, ...]],
    scores: Sequence[float],
    classes: Sequence[int],
    masks: Sequence[Mask] | None = None,
) -> Detections:
    """Detections in the order given."""
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(classes, np.int64),
        None if masks is None else tuple(masks),
    )


def same(one: Detections, other: Detections) -> bool:
    """Whether two answers are equal to the bit."""
    return (
        np.array_equal(one.boxes, other.boxes)
        and np.array_equal(one.scores, other.scores)
        and np.array_equal(one.classes, other.classes)
        and one.masks == other.masks
    )


@law
@given(drawn=objects())
def test_every_object_comes_out_once_and_whole(drawn: list[Object]) -> None:
    """Whatever the borders cut, and however near objects lie: box, mask, class and score are the object's."""
    whole = plan_tiles(WIDTH, HEIGHT, tile_width_px=WIDTH, tile_height_px=HEIGHT, overlap_px=16)
    expected = merge(whole, [seen(whole[0], drawn)])
    found = merge(TILES, [seen(tile, drawn) for tile in TILES])
    assert len(found) == len(drawn)
    assert same(found, expected)


@law
@given(drawn=objects(), seed=st.integers(0, 99))
def test_neither_the_order_of_tiles_nor_that_of_detections_matters(drawn: list[Object], seed: int) -> None:
    """A frame has one answer."""
    random = np.random.default_rng(seed)
    tiles = [TILES[number] for number in random.permutation(len(TILES))]
    shuffled = [[drawn[number] for number in random.permutation(len(drawn))] for _ in tiles]
    found = merge(tiles, [seen(tile, some) for tile, some in zip(tiles, shuffled, strict=True)])
    assert same(found, merge(TILES, [seen(tile, drawn) for tile in TILES]))


@law
@given(
    x=st.integers(0, WIDTH - 24),
    width=st.integers(24, WIDTH),
    jitter=st.lists(st.integers(-2, 2), min_size=12),
)
def test_a_box_that_a_model_draws_unsteadily_still_comes_out_once(
    x: int, width: int, jitter: list[int]
) -> None:
    """Edges that are off by two pixels on each tile, of parts that are no slivers, make no second defect."""
    right, found, noise = min(x + width, WIDTH), [], itertools.cycle(jitter)
    for tile in ONE_ROW:
        left_seen = max(x + next(noise), tile.area.x0) - tile.area.x0
        right_seen = min(right + next(noise), tile.area.x1) - tile.area.x0
        is_seen = right_seen - left_seen >= 20
        boxes = [(left_seen, 8 + next(noise), right_seen, 38 + next(noise))] if is_seen else []
        found.append(detections(boxes, [0.9] * len(boxes), [0] * len(boxes)))
    merged = merge(ONE_ROW, found)
    assert len(merged) == 1
    np.testing.assert_allclose(merged.boxes[0], [x, 8, right, 38], atol=2)


def test_without_masks_boxes_alone_decide() -> None:
    """A Faster R-CNN's defects are merged, too."""
    long: Object = (0, 0.8, Mask.encode(np.ones((10, 140), bool), x=5, y=10))
    found = merge(ONE_ROW, [seen(tile, [long], masks=False) for tile in ONE_ROW])
    assert found.boxes.tolist() == [[5, 10, 145, 20]]
    assert found.masks is None


def test_what_a_neighbour_has_found_whole_is_dropped_even_if_it_scores_higher() -> None:
    """A sliver at a border says nothing about a defect that another tile sees as a whole."""
    first, second = ONE_ROW[0].area, ONE_ROW[1].area
    whole = detections([(10, 10, first.x1 - 13, 30)], [0.6], [0])
    sliver = detections([(0, 10, first.x1 - 13 - second.x0, 30)], [0.9], [0])
    found = merge(ONE_ROW[:2], [whole, sliver])
    assert same(found, whole)


@pytest.mark.parametrize(
    ("second_class", "second_rows"), [(1, (10, 30)), (0, (31, 45))], ids=["other class", "beside"]
)
def test_what_differs_is_not_merged(second_class: int, second_rows: tuple[int, int]) -> None:
    """Two classes, or two defects side by side, each seen by one of two neighbours alone."""
    across = ONE_ROW[0].area.x1 - ONE_ROW[1].area.x0
    first = detections([(20, 10, 64, 30)], [0.9], [0])
    second = detections([(0, second_rows[0], across + 20, second_rows[1])], [0.8], [second_class])
    found = merge(ONE_ROW[:2], [first, second])
    assert len(found) == 2


def test_a_view_that_nobody_confirms_still_counts() -> None:
    """Rather twice than not at all: what one tile alone has found may be a defect."""
    alone = detections([(40, 10, 64, 30)], [0.7], [1])
    nothing = detections([], [], [])
    assert same(merge(ONE_ROW[:2], [alone, nothing]), alone)


def test_tiles_without_detections_make_a_frame_without_any() -> None:
    """The shapes are those of an empty answer."""
    found = merge(ONE_ROW, [detections([], [], [], []) for _ in ONE_ROW])
    assert found.boxes.shape == (0, 4)
    assert found.masks == ()
