"""The command that inspects files."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from edge.cli import inspect
from edge.contracts import Mask
from edge.errors import ImageSourceError, OutputError
from edge.vision.fake import FakeRuntime

FAKE = {"STRIPSIGHT_MODEL__RUNTIME": "fake", "STRIPSIGHT_MODEL__FAKE_DEFECTS": "2", "COLUMNS": "200"}

app = typer.Typer()
app.command()(inspect.inspect)


def run(*arguments: object, env: dict[str, str] = FAKE) -> Result:
    """Inspect with the fake model."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


def lines(result: Result) -> list[dict[str, Any]]:
    """Return the JSON lines of standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of a grey JPEG and a colour PNG, of different sizes."""
    folder = tmp_path / "images"
    folder.mkdir()
    cv2.imwrite(str(folder / "grey.jpg"), np.full((128, 400), 90, np.uint8))
    cv2.imwrite(str(folder / "colour.png"), np.full((64, 200, 3), (10, 90, 200), np.uint8))
    return folder


def test_every_image_is_a_json_line(images: Path) -> None:
    """Size, model, and for each defect its box, score, class and mask, as the model gave them."""
    result = run(images, "--json")

    assert result.exit_code == 0, result.stderr
    colour, grey = lines(result)
    assert (colour["file"], grey["file"]) == (str(images / "colour.png"), str(images / "grey.jpg"))
    assert (colour["width_px"], colour["height_px"]) == (200, 64)
    assert colour["model"] == {"name": "fake", "version": "000000000000", "precision": "none"}
    (found,) = FakeRuntime(defects_per_frame=2).infer([cv2.imread(str(images / "colour.png"))])
    assert colour["boxes_px"] == found.boxes.tolist()
    assert colour["scores"] == found.scores.tolist()
    assert colour["classes"] == found.classes.tolist()
    assert colour["class_names"] == [f"class_{class_id}" for class_id in colour["classes"]]
    assert tuple(msgspec.convert(mask, Mask) for mask in colour["masks"]) == found.masks


def test_a_table_sums_it_up(images: Path) -> None:
    """Standard output has a row for each file, standard error the sum."""
    result = run(images)

    assert result.exit_code == 0
    assert "colour.png" in result.stdout
    assert "400 × 128" in result.stdout
    assert "2 inspected, 4 defects" in result.stderr


def test_a_bad_image_is_reported_and_the_others_go_on(images: Path) -> None:
    """It keeps its place among the lines, says why, and the exit code tells."""
    (images / "damaged.jpg").write_bytes((images / "grey.jpg").read_bytes()[:300])
    (images / "empty.png").write_bytes(b"")

    result = run(images, "--json")

    assert result.exit_code == 1
    colour, damaged, empty, grey = lines(result)
    assert len(colour["scores"]) == len(grey["scores"]) == 2
    assert (damaged["reason"], empty["reason"]) == ("corrupt_image", "empty")
    assert "damaged.jpg" in result.stderr
    assert "2 inspected, 2 failed" in result.stderr


def test_the_bytes_decide_what_a_file_is(images: Path) -> None:
    """A link to an image is one; text that is called an image is none."""
    (images / "link.jpg").symlink_to("grey.jpg")
    (images / "text.jpg").write_text("this is text")

    result = run(images / "link.jpg", images / "text.jpg", "--json")

    assert [line.get("reason") for line in lines(result)] == [None, "unsupported_content_type"]


def test_pictures_go_to_the_folder(images: Path, tmp_path: Path) -> None:
    """One for each image, apart from it and from one another, whatever the images are called."""
    (images / "again").mkdir()
    cv2.imwrite(str(images / "again/grey.jpg"), np.full((64, 200), 90, np.uint8))

    result = run(images, images / "again/grey.jpg", "--out", tmp_path / "new/out")

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "new/out").iterdir()) == [
        "colour.annotated.jpg",
        "grey-2.annotated.jpg",
        "grey.annotated.jpg",
    ]
    picture = cv2.imread(str(tmp_path / "new/out/grey.annotated.jpg"))
    assert picture is not None
    assert picture.shape[1] > 800


def test_a_folder_that_cannot_be_made_is_named(images: Path) -> None:
    """Before any image is inspected."""
    result = run(images, "--json", "--out", "/proc/stripsight")

    assert isinstance(result.exception, OutputError)
    assert "cannot write /proc/stripsight: No such file" in str(result.exception)
    assert not result.stdout


def test_a_full_disk_is_named(
    images: Path, tmp_path: Path, no_room: Callable[[], AbstractContextManager[None]]
) -> None:
    """The picture that did not fit ends the command."""
    with no_room():
        result = run(images, "--out", tmp_path)

    assert isinstance(result.exception, OutputError)
    assert "File too large" in str(result.exception)


def test_many_images_go_in_batches(tmp_path: Path) -> None:
    """Results stay with their image across batches."""
    for number in range(7):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 200), number, np.uint8))

    whole = lines(run(tmp_path, "--json"))
    in_batches = lines(run(tmp_path, "--json", env=FAKE | {"STRIPSIGHT_PIPELINE__MAX_BATCH": "3"}))

    assert whole == in_batches
    assert [Path(line["file"]).name for line in whole] == [f"{number}.png" for number in range(7)]


def test_a_missing_place_is_named_before_anything_runs(images: Path) -> None:
    """A typing error does not cost a run over everything else."""
    result = run(images, images / "nowhere")

    assert isinstance(result.exception, ImageSourceError)
    assert "nowhere" in str(result.exception)


def test_a_missing_model_is_named(images: Path, tmp_path: Path) -> None:
    """The folder is told."""
    result = run(images, "--model", tmp_path / "no-model")

    assert result.exit_code == 2
    assert "no-model" in result.stderr


def test_help_needs_no_torch() -> None:
    """The help is complete, and there at once."""
    code = "import sys; from edge.cli.inspect import inspect; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    result = run("--help", env={"COLUMNS": "100", "TERM": "dumb"})

    for option in ("--model", "--out", "--json", "--config", "IMAGE_OR_DIR"):
        assert option in result.output
