"""Where tiles lie."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.vision.tiling.plan import Rectangle, Tile, plan_tiles

law = settings(deadline=None)  # a busy machine


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int, int, int, tuple[Tile, ...]]:
    """Width and height of a frame and of its tiles, the overlap, and the plan."""
    width, height = draw(st.integers(1, 400)), draw(st.integers(1, 200))
    tile_width, tile_height = draw(st.integers(32, 160)), draw(st.integers(32, 100))
    overlap = draw(st.integers(16, min(tile_width, tile_height) // 2))
    tiles = plan_tiles(
        width, height, tile_width_px=tile_width, tile_height_px=tile_height, overlap_px=overlap
    )
    return width, height, tile_width, tile_height, overlap, tiles


@law
@given(plan=plans())
def test_tiles_cover_each_pixel_and_cores_each_pixel_once(
    plan: tuple[int, int, int, int, int, tuple[Tile, ...]],
) -> None:
    """No part of a frame is left out, and for each part one tile answers, which sees it."""
    width, height, tile_width, tile_height, _, tiles = plan
    seen, answered = np.zeros((height, width), int), np.zeros((height, width), int)
    for tile in tiles:
        x0, y0, x1, y1 = tile.area
        assert (x1 - x0, y1 - y0) == (min(width, tile_width), min(height, tile_height))
        assert tile.area.common(tile.core) == tile.core
        seen[y0:y1, x0:x1] += 1
        answered[tile.core.y0 : tile.core.y1, tile.core.x0 : tile.core.x1] += 1
    assert seen.min() >= 1
    assert (answered == 1).all()


@law
@given(plan=plans())
def test_neighbours_overlap_as_much_as_they_should_and_no_tile_could_be_spared(
    plan: tuple[int, int, int, int, int, tuple[Tile, ...]],
) -> None:
    """Each axis has the fewest tiles that the overlap allows."""
    width, height, tile_width, tile_height, overlap, tiles = plan
    for axis, (length, size) in enumerate(((width, tile_width), (height, tile_height))):
        spans = sorted({(tile.area[axis], tile.area[axis + 2]) for tile in tiles})
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start >= overlap
        if len(spans) > 1:
            fewer = len(spans) - 1
            assert fewer * size - (fewer - 1) * overlap < length


def test_a_frame_no_larger_than_a_tile_is_one_tile() -> None:
    """It goes to the model as it is."""
    (tile,) = plan_tiles(1600, 256, tile_width_px=1600, tile_height_px=256, overlap_px=64)
    assert tile == Tile(Rectangle(0, 0, 1600, 256), Rectangle(0, 0, 1600, 256))


def test_a_line_scan_frame_is_fifteen_tiles() -> None:
    """4096 x 1024 px: three across the strip, five along it, of the size that the model knows."""
    tiles = plan_tiles(4096, 1024, tile_width_px=1600, tile_height_px=256, overlap_px=64)
    assert [tile.area for tile in tiles[:4]] == [
        Rectangle(0, 0, 1600, 256),
        Rectangle(1248, 0, 2848, 256),
        Rectangle(2496, 0, 4096, 256),
        Rectangle(0, 192, 1600, 448),
    ]
    assert len(tiles) == 15
    assert tiles[0].core == Rectangle(0, 0, 1424, 224)
