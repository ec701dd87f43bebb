"""Pictures are decoded to their last pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from edge.training.data.checking import check


def encoded(suffix: str, height: int = 256, width: int = 1600) -> bytes:
    """A picture with structure, so that something is lost with its end."""
    image = np.random.default_rng(1).integers(0, 255, (height, width), dtype=np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Severstal's format, with pictures that are broken in every way."""
    jpeg, png = encoded(".jpg"), encoded(".png")
    damaged = jpeg[:3000] + b"\xff\xd9\x00" + jpeg[3003:]
    pictures = {
        "a.jpg": jpeg,
        "b.jpg": jpeg[:-500],
        "c.jpg": damaged,
        "d.png": png,
        "e.png": png[:-500],
        "f.jpg": b"",
        "g.jpg": b"no picture",
        "h.png": encoded(".png", 256, 800),
    }
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.jpg,1,5 10\nz.jpg,1,5 10\n")
    return tmp_path


def test_broken_pictures_are_told_by_name(folder: Path) -> None:
    """Cut off, damaged, empty, none at all, or of another size; and the labels' problems before."""
    told: list[tuple[int, int]] = []
    findings = check(folder, lambda done, total: told.append((done, total)))
    assert findings.errors == 7
    assert findings.problems[0].line == 3
    assert [problem.file.name for problem in findings.problems[1:]] == [
        "b.jpg",
        "c.jpg",
        "e.png",
        "f.jpg",
        "g.jpg",
        "h.png",
    ]
    assert findings.problems[-1].message == "is 800x256 px; train.csv is for 1600x256 px"
    assert told == [(done, 8) for done in range(1, 9)]


def test_a_link_to_nowhere_and_text_are_no_pictures(tmp_path: Path) -> None:
    """Both are told in plain words."""
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "b.jpg").write_text("no picture")
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n")
    first, second = check(tmp_path).problems
    assert "No such file" in first.message
    assert second.message == "is no picture"


def test_a_picture_is_read_as_it_lies_in_the_file(tmp_path: Path) -> None:
    """A viewer's note to turn it does not: labels are for its rows and columns."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    Image.new("L", (1600, 256), 90).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n")
    findings = check(tmp_path)
    assert not findings.problems
    assert findings.dataset.frames[0].read_picture().shape == (256, 1600)


def test_a_folder_without_labels_cannot_be_checked(tmp_path: Path) -> None:
    """That is no problem of a line, but of the command."""
    with pytest.raises(DatasetError, match=r"holds no train\.csv"):
        check(tmp_path)
