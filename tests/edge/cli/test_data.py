"""The commands on labelled sets."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edge.cli import data
from edge.errors import DatasetError, OutputError
from edge.training.data.split import read_split


def run(*arguments: object) -> Result:
    """Run ``stripsight data ...``; errors come as they are raised."""
    return CliRunner().invoke(data.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six frames in Severstal's format: two of class 1, two of class 3, two clean."""
    place = tmp_path / "strip"
    (place / "train_images").mkdir(parents=True)
    for seed, name in enumerate("abcdef"):
        image = cv2.resize(np.random.default_rng(seed).normal(100, 30, (64, 400)), (1600, 256)).clip(0, 255)
        cv2.imwrite(str(place / "train_images" / f"{name}.jpg"), image.astype(np.uint8))
    rows = [
        f"{name}.jpg,{number},{256 * 300 + 50} 90 {256 * 301 + 50} 90"
        for name, number in zip("abcd", "1133", strict=True)
    ]
    (place / "train.csv").write_text("\n".join(["ImageId,ClassId,EncodedPixels", *rows, ""]))
    return place


def break_it(folder: Path) -> None:
    """One broken line, and one that is merely unusual."""
    with (folder / "train.csv").open("a") as file:
        file.write("e.jpg,1,5 10 3\nf.jpg,1,900 2 5 10\n")


def test_a_set_without_problems_is_fine(folder: Path) -> None:
    """Said in one line, with exit code 0."""
    result = run("check", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "strip: 6 frames, no problem found\n"


def test_problems_are_a_table_and_an_exit_code(folder: Path) -> None:
    """Each with file and line, frame, and what is wrong."""
    break_it(folder)
    result = run("check", folder)
    assert result.exit_code == 1
    assert "train.csv, line 6" in result.stdout
    assert "e.jpg" in result.stdout
    assert "runs come in pairs" in result.stdout
    assert result.stderr == "strip: 6 frames, 1 error, 1 warning\n"


def test_problems_are_json_for_machines(folder: Path) -> None:
    """The same, in one document."""
    break_it(folder)
    document = json.loads(run("check", folder, "--json").stdout)
    assert (document["frames"], document["errors"], document["warnings"]) == (6, 1, 1)
    assert [(problem["severity"], problem["line"]) for problem in document["problems"]] == [
        ("error", 6),
        ("warning", 7),
    ]


def test_figures_are_tables_or_json(folder: Path) -> None:
    """The tables name every class; the document holds the whole record."""
    tables = run("stats", folder).stdout
    assert all(f"defect_{number}" in tables for number in range(1, 5))
    assert "6 frames of 1600 × 256 px, 2 of them clean; 4 defects" in tables
    document = json.loads(run("stats", folder, "--json", "--pictures", 2).stdout)
    assert document["classes"][2]["area_px"]["p50"] == 180
    assert document["grey"]["pictures"] == 2


def test_a_split_is_written_and_shown(folder: Path, tmp_path: Path) -> None:
    """Each fold has a frame of both classes and a clean one."""
    out = tmp_path / "split.json"
    result = run("split", folder, "--folds", 2, "--out", out)
    assert result.exit_code == 0
    assert result.stderr == "no two frames show the same steel\n"
    folds = read_split(out)
    assert all(folds[first] != folds[second] for first, second in (("a.jpg", "b.jpg"), ("c.jpg", "d.jpg")))
    assert [line.split() for line in result.stdout.splitlines()[3:5]] == [
        ["0", "3", "1", "1", "0", "1", "0"],
        ["1", "3", "1", "1", "0", "1", "0"],
    ]


def test_a_sheet_shows_the_masks(folder: Path, tmp_path: Path) -> None:
    """In the colours of their classes; without defects the sheet is grey below its head."""
    out = tmp_path / "new" / "sheet.png"
    assert run("preview", folder, "--frames", 2, "--class", "defect_1", "--out", out).exit_code == 0
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 1920
    tiles = sheet[110:].astype(int)
    blue, red = tiles[..., 0], tiles[..., 2]
    assert ((blue - red) > 80).sum() > 100  # sky blue


def test_pictures_are_written_into_a_folder(folder: Path, tmp_path: Path) -> None:
    """One for each frame, named after it."""
    assert run("preview", folder, "--frames", 3, "--out", tmp_path / "drawn").exit_code == 0
    pictures = sorted((tmp_path / "drawn").iterdir())
    assert len(pictures) == 3
    assert all(path.name.endswith(".labelled.jpg") for path in pictures)


def test_an_unknown_class_is_refused(folder: Path, tmp_path: Path) -> None:
    """With the names of those that there are."""
    result = run("preview", folder, "--class", "scratch", "--out", tmp_path / "sheet.png")
    assert isinstance(result.exception, DatasetError)
    assert "it has defect_1, defect_2, defect_3, defect_4" in str(result.exception)


def test_a_class_that_no_frame_shows_is_refused(folder: Path, tmp_path: Path) -> None:
    """An empty sheet would tell nothing."""
    result = run("preview", folder, "--class", "defect_2", "--out", tmp_path / "sheet.png")
    assert isinstance(result.exception, DatasetError)
    assert "no frame shows 'defect_2'" in str(result.exception)


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    """Brackets in the name of a class or a file are no markup."""
    images = []
    for seed, name in enumerate(("a.png", "b.png")):
        image = np.random.default_rng(seed).integers(0, 255, (64, 64), np.uint8)
        cv2.imwrite(str(tmp_path / name), image)
        images.append({"id": seed, "file_name": name, "width": 64, "height": 64})
    box = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [5, 5, 20, 20]}
    document = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "dent [/b]"}]}
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(document))
    assert "dent [/b]" in run("stats", labels).stdout.split("Frames that show both")[1]
    assert "dent [/b]" in run("split", labels, "--folds", 2, "--out", tmp_path / "split.json").stdout
    out = tmp_path / "[red]x[" / "b].png"
    assert run("preview", labels, "--out", out).stderr == f"2 of 2 frames in {out}\n"


def test_too_many_frames_for_a_sheet_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JPEG has a highest picture."""
    monkeypatch.setattr("edge.cli.contact_sheet._HIGHEST_PX", 400)
    result = run("preview", folder, "--out", folder / "sheet.jpg")
    assert isinstance(result.exception, OutputError)
    assert "6 frames do not fit on one sheet" in str(result.exception)


def test_a_place_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    """A file stands where a folder is needed."""
    (tmp_path / "file").touch()
    result = run("preview", folder, "--out", tmp_path / "file" / "sheet.png")
    assert isinstance(result.exception, OutputError)
