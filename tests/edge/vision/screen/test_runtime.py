"""The model looks at suspicious frames alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.daemon import load_model
from edge.errors import ModelFileError
from edge.pipeline.answers import check_answer
from edge.settings import ModelSettings, ScreenSettings, TilingSettings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from edge.vision.runtime import Image
from edge.vision.screen.loading import screened
from edge.vision.screen.runtime import ScreenedRuntime
from edge.vision.screen.screen import Screen

MakeScreen = Callable[..., Path]
DARK, BRIGHT = np.full((48, 64), 60, np.uint8), np.full((48, 64), 200, np.uint8)


class Watched(FakeRuntime):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(defects_per_frame=2)
        self.asked: list[int] = []

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Note the shades."""
        self.asked += [int(image[0, 0]) for image in images]
        return super().infer(images)


def test_only_suspicious_frames_go_through_the_model(screen_folder: MakeScreen) -> None:
    """Answers are in the order of the images; each says what the screen found."""
    inner = Watched()
    runtime = ScreenedRuntime(inner, Screen.read(screen_folder(), device="cpu"))
    found = runtime.infer([DARK, BRIGHT, DARK, BRIGHT - 1])
    assert inner.asked == [200, 199]
    assert [len(one) for one in found] == [0, 2, 0, 2]
    expected = FakeRuntime(defects_per_frame=2).infer([BRIGHT])[0]
    assert np.array_equal(found[1].boxes, expected.boxes)
    for one, image in zip(found, [DARK, BRIGHT, DARK, BRIGHT], strict=True):
        check_answer(one, image, runtime.class_names)
        assert one.screening is not None
        assert one.screening.passed == (one.screening.score >= one.screening.threshold == 0.5)
        assert one.screening.model.name == "bright"
    assert [one.screening.passed for one in found if one.screening] == [False, True, False, True]


def test_a_model_is_not_asked_about_nothing(screen_folder: MakeScreen) -> None:
    """When no frame is suspicious, or none came."""
    inner = Watched()
    runtime = ScreenedRuntime(inner, Screen.read(screen_folder(), device="cpu"))
    assert len(runtime.infer([DARK, DARK])) == 2
    assert runtime.infer([]) == []
    assert inner.asked == []


def test_a_screen_that_fails_lets_everything_through(
    screen_folder: MakeScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A score that is no number says nothing against a frame's being inspected."""
    screen = Screen.read(screen_folder(), device="cpu")
    monkeypatch.setattr(screen, "scores", lambda images: [float("nan")] * len(images))
    (found,) = ScreenedRuntime(Watched(), screen).infer([DARK])
    assert len(found) == 2
    assert found.screening is not None
    assert found.screening.passed


def test_each_tile_of_a_large_frame_is_screened(screen_folder: MakeScreen) -> None:
    """The model sees the suspicious tiles alone; the frame is as suspicious as the worst of them."""
    settings = ModelSettings(
        runtime="fake",
        screen=ScreenSettings(path=screen_folder()),
        tiling=TilingSettings(width_px=64, height_px=48, overlap_px=16),
    )
    frame = np.full((48, 160), 60, np.uint8)
    frame[:, 128:] = 200
    clean, suspicious = load_model(settings).infer([np.full((48, 160), 60, np.uint8), frame])
    assert (len(clean), len(suspicious)) == (0, 1)
    assert suspicious.boxes[0, 0] >= 96
    check_answer(suspicious, frame, FakeRuntime().class_names)
    assert clean.screening is not None
    assert suspicious.screening is not None
    assert not clean.screening.passed
    assert suspicious.screening.passed
    assert suspicious.masks is not None


def test_without_a_folder_there_is_no_screen_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    """The setting is off by default."""
    runtime = FakeRuntime()
    assert screened(runtime, None) is runtime
    assert ModelSettings().screen.path is None
    with pytest.raises(ModelFileError, match=r"screen\.json"):
        screened(runtime, tmp_path)
