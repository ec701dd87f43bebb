"""``stripsight data synthesize``."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import OutputError


def synthesize(*arguments: str | Path) -> str:
    """Run the command and return its last line; what it raises is raised here."""
    run = CliRunner().invoke(
        app, ["data", "synthesize", *map(str, arguments)], catch_exceptions=False, standalone_mode=False
    )
    return run.stdout.strip()


def test_it_writes_the_frames_it_is_asked_for(tmp_path: Path) -> None:
    """The folder is made, and the closing line tells frames, masks and place."""
    out = tmp_path / "strip"
    said = synthesize("--frames", "3", "--seed", "9", "--defect-rate", "1", "--balanced", "--out", out)
    rows = (out / "train.csv").read_text().splitlines()[1:]
    assert said == f"3 frames with {len(rows)} masks in {out}"
    assert len(list((out / "train_images").iterdir())) == 3


def test_a_rate_of_zero_is_a_clean_strip(tmp_path: Path) -> None:
    """Zero is not taken for the default."""
    assert "with no masks" in synthesize("--frames", "3", "--defect-rate", "0", "--out", tmp_path / "clean")


def test_it_draws_over_a_strip_only_when_told_to(tmp_path: Path) -> None:
    """The second run refuses the folder; with --overwrite it takes it."""
    arguments = ("--frames", "1", "--out", tmp_path)
    synthesize(*arguments)
    with pytest.raises(OutputError, match="--overwrite"):
        synthesize(*arguments)
    assert "1 frame with" in synthesize(*arguments, "--overwrite")


def test_the_strip_is_written_without_torch() -> None:
    """Processes that draw start in a moment."""
    check = "import sys, edge.training.synthetic.write; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
