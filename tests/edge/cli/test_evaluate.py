"""The commands that judge a model and submit its detections, with the bundled model on a few drawn frames."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from edge.cli import evaluate, submit
from edge.errors import CorruptImageError, ModelMismatchError, OutputError, SettingsError
from edge.training.data import open_dataset, rle
from edge.training.evaluation.dice import dice
from edge.training.evaluation.labelled import drawn
from edge.training.evaluation.record import Evaluation, read_detections, read_evaluation
from edge.training.synthetic.write import StripSettings, write_strip
from edge.vision.model_folder import read_model_folder
from edge.vision.runtime import BUNDLED_MODEL
from tests.support.screens import untrained_screen

FRAMES, SEED = 4, 5

app = typer.Typer()
app.command(name="evaluate")(evaluate.evaluate)
app.command(name="submit")(submit.submit)


def run(*arguments: object) -> Result:
    """Run a command with wide tables."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn frames in Severstal's format."""
    folder = tmp_path_factory.mktemp("strip")
    write_strip(folder, StripSettings(FRAMES, SEED, balanced=True), overwrite=True)
    return folder


@pytest.fixture(scope="module")
def judged(strip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """The bundled model's evaluation on them, as printed and as written."""
    out = tmp_path_factory.mktemp("judged") / "new"
    result = run("evaluate", "--model", BUNDLED_MODEL, "--data", strip, "--out", out)
    assert result.exit_code == 0, result.output
    return result, out


def test_figures_are_printed_and_written(judged: tuple[Result, Path]) -> None:
    """Tables for people, JSON for programs; with the model's own thresholds."""
    result, out = judged
    evaluation = read_evaluation(out)
    folder = read_model_folder(BUNDLED_MODEL)
    assert (evaluation.model_name, evaluation.model_version) == (folder.name, folder.version)
    assert tuple(figures.threshold for figures in evaluation.classes) == folder.score_thresholds
    assert evaluation.frames == FRAMES
    assert evaluation.frames_per_second is not None
    for heading in ("Overlap", "Defects", "Confusion", "Calibration", "cross-tuned", "defect_4"):
        assert heading in result.stdout
    assert f"{evaluation.total.dice:.4f}" in result.stdout
    assert all(entry.score > 0.05 for entry in read_detections(out / "detections.json"))


def test_drawn_frames_need_no_files(judged: tuple[Result, Path]) -> None:
    """--synthetic judges on what `data synthesize` would write, to the last figure."""
    result = run("evaluate", "--model", BUNDLED_MODEL, "--synthetic", FRAMES, "--seed", SEED, "--balanced")
    assert result.exit_code == 0, result.output
    tables = result.stdout.split("Overlap")[1]
    assert tables == judged[0].stdout.split("Overlap")[1]


def test_drawn_frames_are_those_on_disk(strip: Path) -> None:
    """Pixels, names and defects."""
    on_disk = open_dataset(strip).frames
    for sample, frame in zip(drawn(FRAMES, seed=SEED, balanced=True).frames, on_disk, strict=True):
        read = frame.read()
        assert (sample.name, tuple(sample.instances)) == (read.name, tuple(read.instances))
        np.testing.assert_array_equal(sample.image, read.image)


def test_stored_detections_need_no_model(judged: tuple[Result, Path], strip: Path) -> None:
    """With the model's thresholds they give the same figures; without it thresholds have to be tuned."""
    file = judged[1] / "detections.json"
    again = run("evaluate", "--detections", file, "--data", strip, "--model", BUNDLED_MODEL)
    assert again.exit_code == 0, again.output
    assert again.stdout.split("Overlap")[1] == judged[0].stdout.split("Overlap")[1]
    tuned = run("evaluate", "--detections", file, "--data", strip, "--tune", "f1")
    assert "tuned on these frames for f1" in tuned.stdout


def test_a_model_is_judged_behind_a_screen(strip: Path, tmp_path: Path, judged: tuple[Result, Path]) -> None:
    """What the screen lets go is missed: with a threshold that no frame reaches, all of it."""
    screen = untrained_screen(tmp_path / "screen", threshold=1.0)
    out = tmp_path / "out"
    result = run("evaluate", "--model", BUNDLED_MODEL, "--data", strip, "--screen", screen, "--out", out)
    assert result.exit_code == 0, result.output
    assert read_detections(judged[1] / "detections.json")
    assert read_detections(out / "detections.json") == []
    stored = ["--detections", str(judged[1] / "detections.json"), "--tune", "f1", "--screen", str(screen)]
    with pytest.raises(SettingsError, match="--screen is for a --model that runs"):
        CliRunner().invoke(app, ["evaluate", "--data", str(strip), *stored], catch_exceptions=False)


def test_tuned_thresholds_are_stored_in_the_model(
    judged: tuple[Result, Path], strip: Path, tmp_path: Path
) -> None:
    """In its model.json, whose other entries stay."""
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(BUNDLED_MODEL, model)
    file = judged[1] / "detections.json"
    result = run(
        *("evaluate", "--detections", file, "--data", strip, "--model", model),
        *("--tune", "dice", "--store", "--out", out),
    )
    assert result.exit_code == 0, result.output
    stored = read_model_folder(model)
    assert list(stored.score_thresholds) == [figures.threshold for figures in read_evaluation(out).classes]
    assert stored.name == read_model_folder(BUNDLED_MODEL).name


def test_folds_are_pooled(judged: tuple[Result, Path], strip: Path, tmp_path: Path) -> None:
    """Each file brings its frames; the spread over folds is told."""
    evaluation = read_evaluation(judged[1])
    entries = json.loads((judged[1] / "detections.json").read_bytes())
    for fold, frames in enumerate((evaluation.by_frame[:1], evaluation.by_frame[1:])):
        _write_part(tmp_path / str(fold), evaluation, entries, [frame.file_name for frame in frames])
    files = [argument for fold in "01" for argument in ("--detections", tmp_path / fold / "detections.json")]
    result = run("evaluate", *files, "--data", strip, "--tune", "dice", "--out", tmp_path / "pooled")
    assert result.exit_code == 0, result.output
    assert "mean ± standard deviation" in result.stdout
    pooled = read_evaluation(tmp_path / "pooled")
    assert pooled.frames == FRAMES
    assert pooled.folds is not None
    assert [fold.frames for fold in pooled.folds.folds] == [1, FRAMES - 1]


def _write_part(folder: Path, evaluation: Evaluation, entries: list[dict], names: list[str]) -> None:
    folder.mkdir()
    kept = [frame for frame in evaluation.by_frame if frame.file_name in names]
    part = msgspec.structs.replace(evaluation, by_frame=kept)
    (folder / "evaluation.json").write_bytes(msgspec.json.encode(part))
    found = [entry for entry in entries if entry["file_name"] in names]
    (folder / "detections.json").write_text(json.dumps(found))


def test_one_fold_of_a_split(judged: tuple[Result, Path], strip: Path, tmp_path: Path) -> None:
    """Only its frames are judged."""
    names = [frame.file_name for frame in read_evaluation(judged[1]).by_frame]
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"folds": 2, "frames": {name: n % 2 for n, name in enumerate(names)}}))
    result = run(
        *("evaluate", "--model", BUNDLED_MODEL, "--data", strip),
        *("--split", split, "--fold", 1, "--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    evaluation = read_evaluation(tmp_path / "out")
    assert [frame.file_name for frame in evaluation.by_frame] == names[1::2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", BUNDLED_MODEL], "--data or --synthetic"),
        (["--synthetic", 1], "--model is needed"),
        (["--model", BUNDLED_MODEL, "--synthetic", 1, "--fold", 1], "--split and --fold"),
        (["--model", BUNDLED_MODEL, "--synthetic", 1, "--store"], "--store needs"),
    ],
)
def test_contradictions_are_named(arguments: list[object], message: str) -> None:
    """Before anything is loaded."""
    result = run("evaluate", *arguments)
    assert isinstance(result.exception, SettingsError)
    assert message in str(result.exception)


def test_a_model_of_other_classes_is_refused(strip: Path, tmp_path: Path) -> None:
    """Both lists of classes are told."""
    model = tmp_path / "model"
    shutil.copytree(BUNDLED_MODEL, model)
    (model / "model.json").write_text('{"classes": ["pit", "hairline", "scratch", "scale"]}')
    result = run("evaluate", "--model", model, "--data", strip)
    assert isinstance(result.exception, ModelMismatchError)
    assert "hairline" in str(result.exception)


def test_a_place_that_cannot_be_written_is_named_at_once(strip: Path, tmp_path: Path) -> None:
    """Before the model is even loaded: here it could not be."""
    shutil.copytree(BUNDLED_MODEL, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    result = run("evaluate", "--model", tmp_path / "model", "--data", strip, "--out", "/proc/none")
    assert isinstance(result.exception, OutputError)


def test_a_submission_has_a_row_for_each_image_and_class(
    judged: tuple[Result, Path], strip: Path, tmp_path: Path
) -> None:
    """Sorted; scored as Kaggle does it has the Dice of the evaluation."""
    out = tmp_path / "submission.csv"
    result = run("submit", "--model", BUNDLED_MODEL, "--images", strip / "train_images", "--out", out)
    assert result.exit_code == 0, result.output
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    frames = {frame.name: frame.read() for frame in open_dataset(strip).frames}
    pairs = [(row["ImageId"], int(row["ClassId"])) for row in rows]
    assert pairs == [(name, class_id) for name in sorted(frames) for class_id in (1, 2, 3, 4)]
    scores = [
        dice(rle.decode(row["EncodedPixels"], 256, 1600), frames[name].mask_of_class(class_id - 1))
        for row, (name, class_id) in zip(rows, pairs, strict=True)
    ]
    assert np.mean(scores) == pytest.approx(read_evaluation(judged[1]).total.dice)


def test_an_image_that_cannot_be_read_ends_the_submission(tmp_path: Path) -> None:
    """A submission without it would be refused; no half of one is left."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((64, 64), np.uint8))
    (tmp_path / "images" / "b.png").write_bytes(b"no picture")
    out = tmp_path / "submission.csv"
    result = run("submit", "--model", BUNDLED_MODEL, "--images", tmp_path / "images", "--out", out)
    assert isinstance(result.exception, CorruptImageError)
    assert not out.exists()
