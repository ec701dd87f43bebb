"""Training a screen, from labelled frames to its folder."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edge.cli import app
from edge.contracts.mask import Mask
from edge.errors import DatasetError, SettingsError
from edge.training.data import open_dataset
from edge.training.samples import Instance, Sample
from edge.training.screen.learn import cell_targets
from edge.training.screen.run import ScreenOptions, scores_of, train_screen
from edge.vision.screen.card import read_card
from edge.vision.screen.screen import Screen, read_network

Squares = Callable[..., Path]


def options(data: Path, out: Path, **changes: object) -> ScreenOptions:
    """A few seconds of training, and a promise that a few frames can keep."""
    known = {"miss_rate": 0.3, "minutes": 0.1, "device": "cpu"}
    return ScreenOptions((data,), out, **(known | changes))  # type: ignore[arg-type]


def test_cells_that_show_part_of_a_defect_are_targets() -> None:
    """A pixel is enough; cells at the frame's end may be smaller."""
    mask = np.zeros((10, 20), bool)
    mask[0, 0] = mask[9, 19] = True
    sample = Sample(np.zeros((40, 50), np.uint8), (Instance(0, Mask.encode(mask, x=30, y=30)),))
    expected = torch.zeros(3, 4, dtype=torch.bool)
    expected[1, 1] = expected[2, 3] = True
    assert torch.equal(cell_targets(sample), expected)


def test_it_learns_to_tell_squares_from_clean_frames(squares: Squares, tmp_path: Path) -> None:
    """What it promises is measured on frames that it has not learned from, and stands on its card."""
    out = tmp_path / "screen"
    said: list[str] = []
    card = train_screen(options(squares(frames=60), out, minutes=0.25), say=said.append)
    held = card.calibration.frames_with_defects + card.calibration.clean_frames
    assert said == [f"{60 - held} frames to learn from, {held} to calibrate on"]
    assert read_card(out) == card
    assert (card.name, card.calibration.miss_rate) == ("screen", 0.3)
    assert card.calibration.miss_rate_at_most <= 0.3
    fresh = open_dataset(squares("fresh", frames=100)).frames[60:]
    scores = list(scores_of(Screen.read(out, device="cpu"), fresh))
    assert {frame.name for frame, _ in scores} == {frame.name for frame in fresh}
    shown = [score for frame, score in scores if frame.instances]
    clean = [score for frame, score in scores if not frame.instances]
    assert np.mean(shown) > np.mean(clean) + 0.2


def test_the_frames_of_a_validation_set_or_a_fold_are_held_out(squares: Squares, tmp_path: Path) -> None:
    """They are those that a data scientist keeps apart anyway."""
    data, other = squares(frames=20), squares("other", frames=30)
    said: list[str] = []
    train_screen(options(data, tmp_path / "a", validation=(other,), minutes=0.01), say=said.append)
    names = [frame.name for frame in open_dataset(data).frames]
    folds = {name: number % 2 for number, name in enumerate(names)}
    train_screen(
        options(data, tmp_path / "b", folds=folds, fold=1, minutes=0.01, miss_rate=0.35), say=said.append
    )
    assert said == [
        "20 frames to learn from, 30 to calibrate on",
        "10 frames to learn from, 10 to calibrate on",
    ]


def test_it_may_begin_with_another_screen(squares: Squares, tmp_path: Path) -> None:
    """From drawn strip to real steel: an iteration later the weights are near what they were."""
    data, first = squares(frames=60), tmp_path / "first"
    train_screen(options(data, first))
    train_screen(options(data, tmp_path / "second", init=first, minutes=0.0001))
    before, after = read_network(first).state_dict(), read_network(tmp_path / "second").state_dict()
    for name, value in before.items():
        if name.endswith("weight"):
            torch.testing.assert_close(after[name], value, atol=0.05, rtol=0.1)


def test_what_cannot_be_promised_is_told_before_an_hour_of_training(squares: Squares, tmp_path: Path) -> None:
    """Too few frames to calibrate on, or nothing to tell apart."""
    with pytest.raises(SettingsError, match="takes at least 299 frames with defects"):
        train_screen(options(squares(), tmp_path / "a", miss_rate=0.01))
    only_clean = squares("clean", frames=20)
    labels = next(only_clean.glob("*.json"))
    labels.write_text(json.dumps(json.loads(labels.read_text()) | {"annotations": []}))
    held = squares("held", frames=20)
    with pytest.raises(DatasetError, match=r"held\d+\.png: is to be learned from and held out"):
        train_screen(options(held, tmp_path / "c", validation=(held,)))
    with pytest.raises(DatasetError, match="there must be both"):
        train_screen(options(only_clean, tmp_path / "b", validation=(held,)))


def test_the_command_trains_a_screen(squares: Squares, tmp_path: Path) -> None:
    """Without a config; it tells what the screen is good for."""
    out = tmp_path / "screen"
    base = ["train", "--data", str(squares(frames=40)), "--out", str(out)]
    screen = [*base, "--stage", "screen", "--miss-rate", "0.4", "--minutes", "0.02", "--device", "cpu"]
    result = CliRunner().invoke(app, screen)
    assert result.exit_code == 0, result.output
    card = read_card(out)
    assert (
        f"of {card.calibration.frames_with_defects} held-out frames with defects it misses" in result.output
    )
    with pytest.raises(SettingsError, match="--config: a model needs"):
        CliRunner().invoke(app, base, catch_exceptions=False)
    config = str(next((tmp_path / "squares").glob("*.json")))
    with pytest.raises(SettingsError, match="--stage screen: has no --config"):
        CliRunner().invoke(app, [*screen, "--config", config], catch_exceptions=False)
