"""The commands that show, convert and compare models, with the bundled model on a few drawn frames."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from edge.cli import app
from edge.errors import ImageSourceError, ModelFileError, ModelMismatchError, OutputError, SettingsError
from edge.training.evaluation.record import EVALUATION_FILE
from edge.training.synthetic.write import StripSettings, write_strip
from edge.vision.model_folder import read_model_folder
from edge.vision.runtime import BUNDLED_MODEL

VERSION = read_model_folder(BUNDLED_MODEL).version


def run(*arguments: object) -> Result:
    """Run a command with wide tables."""
    return CliRunner().invoke(
        app, ["model", *(str(argument) for argument in arguments)], env={"COLUMNS": "160"}
    )


@pytest.fixture
def eager(tmp_path: Path) -> Path:
    """The bundled model with thresholds so low that it reports more."""
    folder = tmp_path / "eager"
    folder.mkdir()
    for name in ("config.yaml", "model.safetensors"):
        shutil.copyfile(BUNDLED_MODEL / name, folder / name)
    described = json.loads((BUNDLED_MODEL / "model.json").read_bytes())
    described |= {"name": "eager", "score_thresholds": dict.fromkeys(described["classes"], 0.1)}
    (folder / "model.json").write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn frames in Severstal's format."""
    folder = tmp_path_factory.mktemp("strip")
    write_strip(folder, StripSettings(3, 5, balanced=True, defect_rate=1.0))
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path) -> Iterator[None]:
    """No settings file of the working directory counts."""
    with chdir(tmp_path):
        yield


def test_the_bundled_model_is_shown() -> None:
    """Architecture, classes and thresholds, weights and hash, and what its card says of data and figures."""
    result = run("show")

    assert result.exit_code == 0, result.output
    for word in (VERSION, "Mask R-CNN", "EfficientNet-Lite0", "defect_3", "0.70", "4.2 million", "float16"):
        assert word in result.stdout
    assert "Drawn strip: 5,000 frames" in result.stdout
    assert "One core of a shared" not in result.stdout


def test_the_whole_card_is_shown_when_asked_for() -> None:
    """With how it was trained."""
    assert "stripsight data synthesize --frames 5000" in run("show", "--card").stdout


def test_programs_read_the_same_as_json(eager: Path) -> None:
    """A model without a card or a run tells what its files tell."""
    result = run("show", eager, "--json")

    told = json.loads(result.stdout)
    assert (told["name"], told["version"], told["evaluations"]) == ("eager", VERSION, {})
    assert [each["score_threshold"] for each in told["classes"]] == [0.1] * 4
    assert told["sha256"].keys() == {"config.yaml", "model.safetensors"}
    assert told["weights"]["types"] == ["float16"]


def test_a_run_tells_what_came_of_it(eager: Path, tmp_path: Path, strip: Path) -> None:
    """Its log, and the evaluations beside it that are of this very version."""
    shown = tmp_path / "run"
    shown.mkdir()
    shutil.move(eager, shown / "model")
    (shown / "metrics.jsonl").write_text('{"iteration": 20, "loss": 1.5, "seconds_per_iteration": 0.5}\n')
    judged = ["--model", shown / "model", "--data", strip, "--out", shown / "judged"]
    result = CliRunner().invoke(app, ["evaluate", *(str(word) for word in judged)])
    assert result.exit_code == 0, result.output
    other = json.loads((shown / "judged" / EVALUATION_FILE).read_bytes()) | {"model_version": "other"}
    (shown / "other").mkdir()
    (shown / "other" / EVALUATION_FILE).write_text(json.dumps(other))

    result = run("show", shown)

    assert result.exit_code == 0, result.output
    assert result.stdout.count("Figures on") == 1
    assert "part of the defects found" in result.stdout
    assert "iterations" in result.stdout
    assert "There is no card beside it" in result.stdout


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    """As by every command that needs one."""
    assert isinstance(run("show", tmp_path).exception, ModelFileError)


def test_weights_are_converted_and_the_model_stays_the_same(eager: Path, tmp_path: Path) -> None:
    """The bundled model's folder into Detectron2's zoo format and back: it then finds the same."""
    assert run("convert", eager, tmp_path / "zoo.pkl").exit_code == 0
    (eager / "model.safetensors").unlink()
    result = run("convert", tmp_path / "zoo.pkl", eager / "model.pth")
    assert "4.2 million values in 302 tensors, float16" in result.stdout

    result = run("compare", BUNDLED_MODEL, eager, "--synthetic", "1")

    assert result.exit_code == 0, result.output
    assert "A alone" in result.stdout


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The folder is not made: it may be a mistake."""
    result = run("convert", BUNDLED_MODEL, tmp_path / "nowhere" / "model.pth")
    assert isinstance(result.exception, OutputError)


def test_two_models_are_compared_on_labelled_frames(eager: Path, strip: Path, tmp_path: Path) -> None:
    """What one finds alone, the ratio of their times, and the figures of both; pictures where they differ."""
    out = tmp_path / "pictures"

    result = run("compare", BUNDLED_MODEL, eager, "--data", strip, "--out", out)

    assert result.exit_code == 0, result.output
    assert "3 frames of" in result.stdout
    for word in ("A alone", "B alone", "A / B", "Dice", "box AP50", "false alarms a clean frame"):
        assert word in result.stdout
    pictures = list(out.glob("*.compared.jpg"))
    assert pictures
    picture = cv2.imread(str(pictures[0]))
    assert picture.shape[0] > 2 * 256
    assert picture.shape[1] > 1600


def test_a_model_does_not_differ_from_itself(strip: Path, tmp_path: Path) -> None:
    """Without labels there are no figures; a frame that does not differ has no picture."""
    out = tmp_path / "pictures"

    result = run(
        "compare",
        BUNDLED_MODEL,
        BUNDLED_MODEL,
        "--images",
        strip / "train_images",
        "--frames",
        "2",
        "--out",
        out,
    )

    assert result.exit_code == 0, result.output
    assert "2 frames of" in result.stdout
    assert "all alike" in result.stdout
    assert "Dice" not in result.stdout
    assert list(out.iterdir()) == []


def test_models_of_other_classes_are_not_compared(strip: Path) -> None:
    """The message names the folder, its classes, and those that were expected."""
    other = BUNDLED_MODEL.parents[2] / "models" / "neu-det"
    error = run("compare", BUNDLED_MODEL, other, "--data", strip).exception
    assert isinstance(error, ModelMismatchError)
    assert str(other) in str(error)


@pytest.mark.parametrize("options", [[], ["--synthetic", "1", "--images", "x"]])
def test_frames_come_from_one_place(options: list[str]) -> None:
    """Not from none, and not from two."""
    assert isinstance(run("compare", BUNDLED_MODEL, BUNDLED_MODEL, *options).exception, SettingsError)


def test_a_place_without_images_is_named(tmp_path: Path) -> None:
    """As by every command that reads images."""
    result = run("compare", BUNDLED_MODEL, BUNDLED_MODEL, "--images", tmp_path / "none")
    assert isinstance(result.exception, ImageSourceError)
