"""How suspicious frames are."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import InferenceError, ModelFileError, ModelMismatchError, SettingsError
from edge.vision.screen.network import CELL_PX, ScreenNetwork, to_batch
from edge.vision.screen.screen import Screen

MakeScreen = Callable[..., Path]


def shaded(height: int, width: int, *, spot: int | None = None) -> np.ndarray:
    """A grey frame, with or without a spot of another shade."""
    image = np.full((height, width), 85, np.uint8)
    if spot is not None:
        image[height // 2 - 24 : height // 2 + 24, width // 2 - 24 : width // 2 + 24] = spot
    return image


def test_a_spot_makes_a_frame_suspicious_wherever_it_lies_in_a_batch(screen_folder: MakeScreen) -> None:
    """Scores are in the order of the images, whatever sizes are mixed."""
    screen = Screen.read(screen_folder(), device="cpu")
    images = [shaded(64, 160), shaded(96, 96, spot=200), shaded(64, 160, spot=200), shaded(200, 90)]
    scores = screen.scores(images)
    alone = [screen.scores([image])[0] for image in images]
    assert scores == pytest.approx(alone, abs=1e-6)
    assert max(scores[0], scores[3]) < 0.1
    assert min(scores[1], scores[2]) > 0.9


def test_colour_and_grey_frames_are_scored_alike(screen_folder: MakeScreen) -> None:
    """Of a grey frame in three channels each is the same."""
    screen = Screen.read(screen_folder(), device="cpu")
    grey = shaded(64, 64, spot=140)
    assert screen.scores([np.dstack([grey] * 3)]) == pytest.approx(screen.scores([grey]))
    assert screen.scores([]) == []


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (17, 33), (256, 1600)])
def test_each_cell_of_any_frame_has_its_logit(height: int, width: int) -> None:
    """Sides are rounded up: no pixel is without one."""
    network = ScreenNetwork().eval()
    cells = network(to_batch([np.zeros((height, width), np.uint8)]))
    assert cells.shape == (1, math.ceil(height / CELL_PX), math.ceil(width / CELL_PX))


def test_what_is_no_image_is_refused(screen_folder: MakeScreen) -> None:
    """As every runtime does."""
    with pytest.raises(InferenceError, match="neither"):
        Screen.read(screen_folder(), device="cpu").scores([np.zeros(3, np.uint8)])


def test_the_version_is_that_of_weights_and_threshold(screen_folder: MakeScreen) -> None:
    """What decides otherwise is another screen."""
    first = Screen.read(screen_folder(0.5), device="cpu").reference
    assert first.name == "bright"
    assert Screen.read(screen_folder(0.5), device="cpu").reference == first
    assert Screen.read(screen_folder(0.4), device="cpu").reference.version != first.version
    assert Screen.read(screen_folder(0.5, gain=3.0), device="cpu").reference.version != first.version


def test_the_settings_threshold_goes_before_the_cards(screen_folder: MakeScreen) -> None:
    """An operator may want to see more, or less."""
    folder = screen_folder(0.5)
    assert Screen.read(folder, device="cpu").threshold == 0.5
    assert Screen.read(folder, device="cpu", threshold=0.25).threshold == 0.25


def test_a_folder_that_is_no_screen_is_named(screen_folder: MakeScreen, tmp_path: Path) -> None:
    """Missing and broken files, weights of another network, a device that is not there."""
    with pytest.raises(ModelFileError, match=r"screen\.json: cannot be read: No such file"):
        Screen.read(tmp_path, device="cpu")
    folder = screen_folder()
    with pytest.raises(SettingsError, match="'abacus' cannot be used here"):
        Screen.read(folder, device="abacus")
    weights = (folder / "screen.safetensors").read_bytes()
    (folder / "screen.safetensors").write_bytes(weights[:100])
    with pytest.raises(ModelFileError, match=r"screen\.safetensors"):
        Screen.read(folder, device="cpu")
    from safetensors.torch import save_file  # noqa: PLC0415 - needed here alone

    save_file({"other": torch.zeros(1)}, folder / "screen.safetensors")
    with pytest.raises(ModelMismatchError, match="is of another network"):
        Screen.read(folder, device="cpu")
    (folder / "screen.json").write_text('{"name": "x", "threshold": 2}')
    with pytest.raises(ModelFileError, match=r"screen\.json: .*threshold"):
        Screen.read(folder, device="cpu")
