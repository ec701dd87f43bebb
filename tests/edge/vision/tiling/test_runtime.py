"""Large frames through a model that knows smaller ones."""

from collections.abc import Sequence

import numpy as np
import pytest

from edge.daemon import load_model
from edge.errors import InferenceError, SettingsError
from edge.pipeline.answers import check_answer
from edge.settings import ModelSettings, TilingSettings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from edge.vision.runtime import Image
from edge.vision.tiling.plan import plan_tiles
from edge.vision.tiling.runtime import TiledRuntime, Tiling, tiled

SIZE = (64, 48)


class Watched(FakeRuntime):
    """Remembers how many pictures of which shape it was given at once."""

    def __init__(self, **settings: int) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.calls: list[list[tuple[int, ...]]] = []

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Note the shapes."""
        self.calls.append([image.shape for image in images])
        return super().infer(images)


def picture(height: int, width: int, *, seed: int = 0) -> Image:
    """Grey noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def around(runtime: FakeRuntime, max_tiles: int = 8) -> TiledRuntime:
    """Tiles of 64 x 48 px that overlap by 16 px."""
    return TiledRuntime(runtime, SIZE, overlap_px=16, max_tiles=max_tiles)


def test_frames_that_fit_into_a_tile_are_the_models_own_business() -> None:
    """They go on as they came, in one call, and the answers are untouched."""
    images = [picture(48, 64), picture(10, 20, seed=1)]
    inner = Watched(defects_per_frame=2)
    expected = FakeRuntime(defects_per_frame=2).infer(images)
    for ours, theirs in zip(around(inner).infer(images), expected, strict=True):
        assert np.array_equal(ours.boxes, theirs.boxes)
        assert ours.masks == theirs.masks
    assert inner.calls == [[(48, 64), (10, 20)]]


def test_the_tiles_of_all_frames_of_a_call_go_through_the_model_together() -> None:
    """Two frames of six and two tiles and a small one: two calls of five and four, all tiles of one shape."""
    inner = Watched()
    found = around(inner, max_tiles=5).infer([picture(80, 150), picture(48, 100), picture(48, 64)])
    assert len(found) == 3
    assert inner.calls == [[(48, 64)] * 5, [(48, 64)] * 4]


def test_what_is_found_on_a_tile_lies_where_the_tile_lies() -> None:
    """Each tile's defect that lies in its core is on the frame, moved by the tile's place."""
    image = picture(80, 150)
    (found,) = around(FakeRuntime()).infer([image])
    tiles = plan_tiles(150, 80, tile_width_px=64, tile_height_px=48, overlap_px=16)
    boxes = [tuple(box) for box in found.boxes.tolist()]
    wholes = 0
    for tile in tiles:
        x0, y0, x1, y1 = tile.area
        (alone,) = FakeRuntime().infer([image[y0:y1, x0:x1]])
        box = tuple((alone.boxes[0] + (x0, y0, x0, y0)).tolist())
        is_whole = tile.core.x0 <= box[0] and tile.core.y0 <= box[1] and box[2] <= tile.core.x1
        if is_whole and box[3] <= tile.core.y1:
            wholes += 1
            assert box in boxes
    assert wholes >= 2


@pytest.mark.parametrize("masks", [True, False])
def test_answers_for_large_frames_pass_the_pipelines_checks(masks: bool) -> None:
    """Boxes and masks lie on the frame, in colour as well."""
    runtime = around(FakeRuntime(defects_per_frame=5, masks=masks))
    image = np.dstack([picture(100, 200, seed=seed) for seed in range(3)])
    (found,) = runtime.infer([image])
    check_answer(found, image, runtime.class_names)
    assert len(found) > 5
    assert (np.diff(found.scores) <= 0).all()


def test_it_is_the_model_that_it_surrounds() -> None:
    """Records name the model, and what belongs to it is passed on."""
    inner = FakeRuntime()
    inner.precision = "to be measured"
    runtime = around(inner)
    inner.precision = "float32"
    runtime.warmup()
    assert (runtime.name, runtime.model_name, runtime.model_version) == ("fake", "fake", "000000000000")
    assert runtime.precision == "float32"
    assert runtime.class_names == inner.class_names
    assert runtime.device_use() is None
    runtime.close()


def test_what_is_no_image_is_refused_before_it_is_cut() -> None:
    """A wrong rank is named, as every runtime names it."""
    with pytest.raises(InferenceError, match="neither"):
        around(FakeRuntime()).infer([np.zeros(4, np.uint8)])


def test_a_model_that_answers_too_few_tiles_is_caught() -> None:
    """Or a defect would land on another part of the strip."""

    class Short(FakeRuntime):
        def infer(self, images: Sequence[Image]) -> list[Detections]:
            return super().infer(images)[1:]

    with pytest.raises(InferenceError, match="answered 5 tiles when asked for 6"):
        around(Short()).infer([picture(80, 150)])


def test_without_a_size_frames_stay_whole() -> None:
    """Neither the settings nor the model tell one, or tiling is off: then the runtime itself is returned."""
    runtime = FakeRuntime()
    assert tiled(runtime, Tiling(), None) is runtime
    assert tiled(runtime, None, (64, 48)) is runtime


def test_an_overlap_of_more_than_half_a_tile_is_named() -> None:
    """The tile's size may be the model's, which the settings do not know."""
    with pytest.raises(SettingsError, match=r"overlap_px: 30 is more than half of a tile of 64 x 48 px"):
        tiled(FakeRuntime(), Tiling(overlap_px=30), SIZE)


def test_the_settings_choose_the_tiles() -> None:
    """Their size goes before the model's, and off is off."""
    fake = ModelSettings(runtime="fake", tiling=TilingSettings(width_px=64, height_px=48, overlap_px=16))
    assert len(load_model(fake).infer([picture(80, 150)])[0]) > 1
    off = fake.model_copy(update={"tiling": fake.tiling.model_copy(update={"mode": "off"})})
    assert len(load_model(off).infer([picture(80, 150)])[0]) == 1
