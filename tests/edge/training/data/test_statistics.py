"""What a labelled set is like, in figures."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.training.data import open_dataset
from edge.training.data.grey import GreyMeter
from edge.training.data.statistics import DatasetStatistics, describe, evenly_spread
from edge.training.dataset import Dataset, LabelledFrame
from edge.training.samples import Sample

MakeDataset = Callable[..., Dataset]


@pytest.fixture
def statistics(make_dataset: MakeDataset) -> DatasetStatistics:
    """Two frames of which both show scratches and one scale, and a clean one."""
    return describe(
        make_dataset(
            {
                "a.png": [(0, (10, 0, 20, 40)), (0, (80, 20, 90, 30)), (1, (120, 30, 160, 50))],
                "b.png": [(0, (10, 10, 20, 64))],
                "c.png": [],
            }
        )
    )


def test_frames_are_counted_by_class(statistics: DatasetStatistics) -> None:
    """By each class, by each combination, and by each pair."""
    assert (statistics.frames, statistics.clean_frames, statistics.defects) == (3, 1, 4)
    assert [(found.name, found.frames, found.defects) for found in statistics.classes] == [
        ("scratch", 2, 3),
        ("scale", 1, 1),
        ("dent", 0, 0),
    ]
    assert statistics.co_occurrence == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert {tuple(found.class_ids): found.frames for found in statistics.combinations} == {
        (0, 1): 1,
        (0,): 1,
        (): 1,
    }


def test_defects_are_measured(statistics: DatasetStatistics) -> None:
    """Sizes in px of the picture, shapes, and the edges of the frame that are touched."""
    scratch, scale, dent = statistics.classes
    assert scratch.height_px
    assert scratch.area_px
    assert scratch.defects_per_frame
    assert (scratch.height_px.min, scratch.height_px.p50, scratch.height_px.max) == (10, 40, 54)
    assert scratch.area_px.mean == pytest.approx((400 + 100 + 540) / 3)
    assert scratch.defects_per_frame.mean == 1.5
    assert scratch.tall == pytest.approx(2 / 3)
    assert (scratch.touches.top, scratch.touches.bottom) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (scale.touches.right, scale.touches.left, scale.wide) == (1, 0, 0)
    assert (dent.area_px, dent.contrast, np.sum(dent.positions)) == (None, None, 0)


def test_places_are_those_of_the_pixels(statistics: DatasetStatistics) -> None:
    """The scale of 40x20 px at (120, 30) lies in the right quarter, between rows 30 and 50."""
    positions = np.array(statistics.classes[1].positions)
    assert positions.shape == (8, 32)
    assert positions.sum() == pytest.approx(1)
    assert positions[:, 24:].sum() == pytest.approx(1)
    assert positions[3:7].sum() == pytest.approx(1)
    assert positions[3, 24] == pytest.approx(2 * 5 / 800)


def test_dark_defects_stand_out(statistics: DatasetStatistics) -> None:
    """They were drawn 60 levels darker than the steel around."""
    contrast = statistics.classes[0].contrast
    assert contrast
    assert -90 < contrast.level.p50 < -30


def test_the_record_is_json_and_back(statistics: DatasetStatistics) -> None:
    """The report reads what the command wrote."""
    assert msgspec.json.decode(msgspec.json.encode(statistics), type=DatasetStatistics) == statistics


def test_noise_and_black_are_recovered() -> None:
    """Noise of 5 levels on steel beside 40 % of black is measured as such."""
    rng = np.random.default_rng(1)
    image = np.zeros((100, 500), np.uint8)
    image[:, 200:] = np.clip(rng.normal(120, 5, (100, 300)), 0, 255)
    meter = GreyMeter()
    meter.add(Sample(image, ()))
    grey = meter.statistics()
    assert grey
    assert grey.black == pytest.approx(0.4)
    assert grey.noise
    assert grey.mean_of_steel
    assert grey.noise.p50 == pytest.approx(5, rel=0.1)
    assert grey.mean_of_steel.p50 == pytest.approx(119.5, abs=0.5)
    assert sum(grey.histogram) == image.size


def test_a_set_without_pictures_has_no_grey_levels(make_dataset: MakeDataset) -> None:
    """Whoever asks for no picture waits for none; an empty set has no figures either."""
    assert describe(make_dataset({"a.png": []}), pictures=0).grey is None
    empty = describe(Dataset("none", ("scratch",), ()))
    assert (empty.frames, empty.defect_part, empty.grey) == (0, 0, None)


def test_pictures_are_spread_over_the_set() -> None:
    """Neither the first nor the last ones only."""
    frames = [LabelledFrame(Path(f"{number}.png"), 1, 1) for number in range(10)]
    assert [frame.name for frame in evenly_spread(frames, 3)] == ["1.png", "5.png", "8.png"]
    assert evenly_spread(frames, 10) == evenly_spread(frames, None) == frames


def test_real_frames_are_as_they_are_known_to_be(shared_data: Path) -> None:
    """Medians of the components' heights come near those of the whole set; classes 1 and 2 are slim."""
    found = describe(open_dataset(shared_data / "severstal"), pictures=12)
    heights = [of_class.height_px.p50 for of_class in found.classes if of_class.height_px]
    assert heights == pytest.approx([44, 169, 159, 99], rel=0.1)
    assert found.classes[1].tall == 1
    assert found.grey
    assert found.grey.pictures == 12
