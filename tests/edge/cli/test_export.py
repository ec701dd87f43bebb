"""The command that exports a model, with the bundled one."""

from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner, Result

from edge.cli import export
from edge.errors import ImageSourceError, OutputError, SettingsError
from edge.vision import load_runtime
from edge.vision.exported.record import read_record
from tests.support.exports import Exports, drawn_frames

pytestmark = pytest.mark.timeout(600)  # torch's exporter takes a quarter of a minute of an idle core

app = typer.Typer()
app.command()(export.export)


def run(*arguments: object) -> Result:
    """Run the command with wide lines."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of frames as cameras send them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(drawn_frames()):
        cv2.imwrite(str(folder / f"{number}.jpg"), image)
    return folder


def test_a_model_is_calibrated_verified_and_written(exports: Exports, pictures: Path, tmp_path: Path) -> None:
    """The folder runs, and the last line says on what it was compared."""
    del exports  # keeps the graphs
    out = tmp_path / "new" / "out"
    result = run(
        "--format",
        "openvino",
        "--precision",
        "int8",
        "--calibrate",
        pictures,
        "--verify",
        pictures,
        "--out",
        out,
    )
    assert result.exit_code == 0, result.output
    assert "compared on 3 frames (given): " in result.output
    assert read_record(out).calibration_frames == 3
    assert load_runtime("openvino", out).precision == "int8"
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]


def test_without_frames_the_strip_is_drawn(exports: Exports, tmp_path: Path) -> None:
    """So that an export is never unverified."""
    del exports
    result = run("--format", "onnx", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    verified = read_record(tmp_path / "out").verification
    assert verified is not None
    assert (verified.frames, verified.frames_from) == (export.DRAWN_FRAMES, "drawn strip")
    assert verified.detections > 0


def test_many_frames_are_thinned_out_evenly(pictures: Path) -> None:
    """All of the folder is seen, though not every frame."""
    assert len(export._frames(str(pictures), 3)) == 3
    assert len(export._frames(str(pictures), 2)) == 2


def test_a_picture_that_is_none_is_named(pictures: Path) -> None:
    """It would else be missing from what the model is judged by."""
    (pictures / "1.jpg").write_bytes(b"\xff\xd8\xff rubbish")
    result = run("--format", "onnx", "--verify", pictures, "--out", pictures / "out")
    assert isinstance(result.exception, ImageSourceError)
    assert "1.jpg: " in str(result.exception)


def test_int8_needs_frames_to_calibrate_by(tmp_path: Path) -> None:
    """The options that belong together are named."""
    result = run("--format", "openvino", "--precision", "int8", "--out", tmp_path / "out")
    assert isinstance(result.exception, SettingsError)
    assert "--calibrate" in str(result.exception)


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    """With the flag that chose it."""
    (tmp_path / "file").touch()
    result = run("--format", "onnx", "--out", tmp_path / "file" / "out")
    assert isinstance(result.exception, OutputError)
    assert "(--out " in str(result.exception)
