"""A runtime around any other: larger frames go through the model in tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import InferenceError, SettingsError
from edge.vision.detections import Detections
from edge.vision.runtime import Image, Runtime, require_image
from edge.vision.tiling.merge import merge
from edge.vision.tiling.plan import Tile, plan_tiles
from edge.vision.wrapped import WrappedRuntime


@dataclass(frozen=True, slots=True)
class Tiling:
    """How large frames are cut.

    ``size_px``: (width, height) of a tile; None for the size of the frames that the model has learned from.
    ``overlap_px``: of neighbours, at least. ``max_tiles``: tiles that the model is given at once.
    """

    size_px: tuple[int, int] | None = None
    overlap_px: int = 64
    max_tiles: int = 8


def tiled(runtime: Runtime, tiling: Tiling | None, learned_px: tuple[int, int] | None) -> Runtime:
    """Let a runtime see large frames in tiles.

    Args:
        runtime: the one that looks at the tiles.
        tiling: None for none; frames then go to the model as they are.
        learned_px: (width, height) of the frames that the model has learned from; None where nobody knows.

    Returns:
        A runtime around the given one; without a tile size that one itself, which takes frames whole.

    Raises:
        SettingsError: the overlap is more than half a tile.
    """
    size_px = (tiling.size_px or learned_px) if tiling else None
    if tiling is None or size_px is None:
        return runtime
    if 2 * tiling.overlap_px > min(size_px):
        raise SettingsError(
            f"model.tiling.overlap_px: {tiling.overlap_px} is more than half of a tile of "
            f"{size_px[0]} x {size_px[1]} px"
        )
    return TiledRuntime(runtime, size_px, overlap_px=tiling.overlap_px, max_tiles=tiling.max_tiles)


class TiledRuntime(WrappedRuntime):
    """Cuts frames that are larger than a tile, and merges what the model finds on their tiles.

    The tiles of all frames of a call go through the model together, ``max_tiles`` at a time. Frames that are
    no larger than a tile are answered as the model answers them.
    """

    def __init__(self, inner: Runtime, size_px: tuple[int, int], *, overlap_px: int, max_tiles: int) -> None:
        super().__init__(inner)
        self._size_px = size_px
        self._overlap_px = overlap_px
        self._max_tiles = max_tiles

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Detect on images of any size; one entry out for each in.

        Raises:
            InferenceError: an image is neither (H, W) grey nor (H, W, 3) BGR uint8, or the model fails.
            ModelMemoryError: memory does not suffice for so many tiles at once.
        """
        plans = [self._plan(image) for image in images]
        if all(len(plan) == 1 for plan in plans):
            return self.inner.infer(images)
        parts = [_cut(image, tile) for image, plan in zip(images, plans, strict=True) for tile in plan]
        found = iter(self._look(parts))
        return [_frame(plan, [next(found) for _ in plan]) for plan in plans]

    def _plan(self, image: Image) -> tuple[Tile, ...]:
        require_image(image)
        tile_width_px, tile_height_px = self._size_px
        return plan_tiles(
            image.shape[1],
            image.shape[0],
            tile_width_px=tile_width_px,
            tile_height_px=tile_height_px,
            overlap_px=self._overlap_px,
        )

    def _look(self, parts: Sequence[Image]) -> list[Detections]:
        found: list[Detections] = []
        for first in range(0, len(parts), self._max_tiles):
            asked = parts[first : first + self._max_tiles]
            answers = self.inner.infer(asked)
            if len(answers) != len(asked):
                raise InferenceError(f"the model answered {len(answers)} tiles when asked for {len(asked)}")
            found += answers
        return found


def _cut(image: Image, tile: Tile) -> Image:
    x0, y0, x1, y1 = tile.area
    return image[y0:y1, x0:x1]


def _frame(plan: Sequence[Tile], found: Sequence[Detections]) -> Detections:
    return found[0] if len(plan) == 1 else merge(plan, found)
