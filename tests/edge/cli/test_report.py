"""The command that draws data, training and evaluation."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from edge.cli import report
from edge.errors import ConfigurationError, OutputError

app = typer.Typer()
app.command()(report.report)


def run(*arguments: object) -> Result:
    """Make a report."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of Severstal's format with one defective frame."""
    folder = tmp_path / "data"
    (folder / "train_images").mkdir(parents=True)
    cv2.imwrite(str(folder / "train_images" / "a.jpg"), np.full((256, 1600), 90, np.uint8))
    (folder / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.jpg,3,1 200 257 200\n")
    return folder


def test_a_data_set_alone_makes_a_page(data: Path, tmp_path: Path) -> None:
    """The page is written into a folder that need not be there yet."""
    out = tmp_path / "pages" / "report.html"
    result = run("--data", data, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert "a.jpg" in out.read_text()


def test_a_place_that_cannot_be_written_is_named(data: Path) -> None:
    """The flag that chose it stands in the error, before anything is drawn."""
    result = run("--data", data, "--out", data / "train.csv" / "report.html")
    assert isinstance(result.exception, OutputError)
    assert "--out" in str(result.exception)


def test_a_plain_installation_says_what_to_install(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without matplotlib the extra's name stands in the error."""
    for module in [name for name in sys.modules if name.startswith("edge.training.report")]:
        monkeypatch.delitem(sys.modules, module)
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("--data", data, "--out", tmp_path / "report.html")
    assert isinstance(result.exception, ConfigurationError)
    assert "pip install 'stripsight[training]'" in str(result.exception)
