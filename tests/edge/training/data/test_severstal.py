"""Severstal's files: rows become defects, pictures frames, and what is wrong is told by line."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from edge.training.data import open_dataset, rle
from edge.training.data.severstal import components, read_severstal

COLUMNS = "ImageId,ClassId,EncodedPixels"


def severstal(folder: Path, *lines: str, pictures: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Path:
    """A folder of Severstal's format; the pictures are empty files, since opening reads none."""
    (folder / "train_images").mkdir()
    for name in pictures:
        (folder / "train_images" / name).touch()
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def complaints(folder: Path) -> list[tuple[int | None, str]]:
    """Line and message of every error."""
    problems = read_severstal(folder / "train.csv")[1]
    return [(problem.line, problem.message) for problem in problems if problem.severity == "error"]


def test_components_become_instances() -> None:
    """Two separate blobs of a class are two defects; blobs that touch at a corner are one."""
    mask = np.zeros((256, 1600), np.bool_)
    mask[10:20, 30:40] = True
    mask[20:25, 40:45] = True
    mask[100:110, 500:520] = True
    runs = rle.parse_runs(rle.encode(mask), mask.size)
    assert [instance.box_px for instance in components(2, runs)] == [(30, 10, 45, 25), (500, 100, 520, 110)]


def test_both_forms_of_the_table_say_the_same(tmp_path: Path) -> None:
    """The older form names every class of every picture; without pixels the class is absent."""
    newer, older = tmp_path / "newer", tmp_path / "older"
    newer.mkdir()
    older.mkdir()
    severstal(newer, COLUMNS, "a.jpg,3,1 4 900 2", "a.jpg,1,300 7")
    empty = [f"{name}_{number}," for name in ("a.jpg", "b.jpg") for number in (2, 4)]
    severstal(older, "ImageId_ClassId,EncodedPixels", "a.jpg_1,300 7", "a.jpg_3,1 4 900 2", *empty)
    sets = [open_dataset(folder) for folder in (newer, older)]
    for dataset in sets:
        assert [frame.name for frame in dataset.frames] == ["a.jpg", "b.jpg"]
        assert [instance.class_id for instance in dataset.frames[0].instances] == [0, 2, 2]
        assert not dataset.frames[1].instances
    assert list(sets[0].frames[0].instances) == list(sets[1].frames[0].instances)


def test_masks_survive_as_instances(tmp_path: Path) -> None:
    """The union of a frame's instances is the mask that was read, on a picture that is read then."""
    folder = severstal(tmp_path, COLUMNS, "a.png,1,5 10 900 20", "a.png,4,5000 3", pictures=())
    cv2.imwrite(str(folder / "train_images" / "a.png"), np.full((256, 1600), 90, np.uint8))
    sample = open_dataset(folder).frames[0].read()
    assert sample.name == "a.png"
    assert np.array_equal(sample.mask_of_class(0), rle.decode("5 10 900 20", 256, 1600))
    assert [instance.class_id for instance in sample.instances] == [0, 0, 3]


def test_whatever_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    """Bad runs, unknown classes, duplicate rows and missing pictures, each with its line."""
    folder = severstal(
        tmp_path,
        COLUMNS,
        "a.jpg,1,5 10 900",
        "a.jpg,2,one two",
        "a.jpg,3,409600 2",
        "a.jpg,5,5 10",
        "a.jpg,4,5 10",
        "b.jpg,4,5 10",
        "a.jpg,4,5 10",
        "b.jpg,1,5 10 8 3",
        "c.jpg,1,5 10",
        "b.jpg",
    )
    found = complaints(folder)
    words = [
        "pairs",
        "whole numbers",
        "leaves the picture",
        "unknown class '5'",
        "on line 6",
        "overlaps",
        "does not have the header's 3 fields",
    ]
    assert [line for line, _ in found] == [2, 3, 4, 5, 8, 9, 11, 10]
    assert all(word in message for word, (_, message) in zip(words, found, strict=False))
    assert found[-1][1] == "there is no such picture"
    with pytest.raises(DatasetError, match=r"train\.csv, line 2: a\.jpg: runs come in pairs.*7 more"):
        open_dataset(folder)


def test_another_table_is_refused(tmp_path: Path) -> None:
    """A table with other columns is not taken for one without defects."""
    folder = severstal(tmp_path, "picture,label", "a.jpg,3")
    with pytest.raises(DatasetError, match=r"line 1: the columns are neither"):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (COLUMNS, "a.jpg,1"),
        (COLUMNS, "a.jpg,1,5 10,"),
        ("EncodedPixels,ImageId_ClassId", "5 10"),
        ("EncodedPixels,ImageId,ClassId", "5 10"),
    ],
)
def test_a_line_that_was_cut_off_is_no_clean_frame(tmp_path: Path, columns: str, line: str) -> None:
    """Fields are missing or too many, in whichever order: an error with its line."""
    folder = severstal(tmp_path, columns, line)
    [(number, message)] = complaints(folder)
    assert number == 2
    assert "does not have the header's" in message


def test_a_rich_mask_is_read_whole(tmp_path: Path) -> None:
    """Every other pixel is a run: more text than Python's csv takes by default."""
    runs = " ".join(f"{start} 1" for start in range(1, 256 * 1600, 2))
    folder = severstal(tmp_path, COLUMNS, f"a.jpg,1,{runs}")
    assert sum(instance.mask.area_px for instance in open_dataset(folder).frames[0].instances) == 204_800


def test_a_set_without_a_picture_is_refused(tmp_path: Path) -> None:
    """A folder of that name is none."""
    folder = severstal(tmp_path, COLUMNS, pictures=())
    (folder / "train_images" / "a.jpg").mkdir()
    with pytest.raises(DatasetError, match=r"train\.csv: there is no picture"):
        open_dataset(folder)


def test_runs_out_of_order_are_a_warning(tmp_path: Path) -> None:
    """Such a mask is unusual, and yet its meaning is plain."""
    folder = severstal(tmp_path, COLUMNS, "a.jpg,1,900 2 5 10")
    problems = read_severstal(folder / "train.csv")[1]
    assert [(problem.line, problem.severity) for problem in problems] == [(2, "warning")]
    assert len(open_dataset(folder).frames[0].instances) == 2


def test_a_listing_chooses_the_frames(tmp_path: Path) -> None:
    """Frames of which only boxes are known are no part of the set; contradictions are told by line."""
    folder = severstal(tmp_path, COLUMNS, "a.jpg,1,5 10", pictures=("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    listing = folder / "frames.csv"
    names = {"a": "masks", "b": "boxes", "c": "clean"}
    lines = [f"{name}.jpg,train_images/{name}.jpg,{labels}" for name, labels in names.items()]
    listing.write_text("\n".join(["ImageId,file,labels", *lines]))
    assert [frame.name for frame in open_dataset(folder).frames] == ["a.jpg", "c.jpg"]
    wrong = {"a": "clean", "b": "boxes", "c": "masks", "d": "perhaps"}
    lines = [f"{name}.jpg,train_images/{name}.jpg,{labels}" for name, labels in wrong.items()]
    listing.write_text("\n".join(["ImageId,file,labels", *lines, "e.jpg,e.jpg,clean"]))
    assert sorted(line for line, _ in complaints(folder) if line) == [2, 4, 5, 6]


def test_a_broken_listing_is_told(tmp_path: Path) -> None:
    """Fields that are missing, a name that two frames share, boxes where there are masks; or no text."""
    folder = severstal(tmp_path, COLUMNS, "c.jpg,1,5 10", pictures=("a.jpg", "b.jpg", "c.jpg"))
    listing = folder / "frames.csv"
    lines = ["a.jpg,train_images/a.jpg,clean", "b.jpg,train_images/a.jpg,clean", "c.jpg,,boxes", "d.jpg"]
    listing.write_text("\n".join(["ImageId,file,labels", *lines]))
    found = dict(complaints(folder))
    assert "picture of this name, 'a.jpg'" in found[3]
    assert "boxes alone, but has masks" in found[4]
    assert "labels are masks, clean or boxes" in found[5]
    listing.write_bytes("ImageId,file,labels\nä.jpg,ä.jpg,clean".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"frames\.csv: cannot be read: .*utf-8"):
        open_dataset(folder)


def test_real_frames_are_opened_with_their_masks(shared_data: Path) -> None:
    """All masks of the 125 labelled frames are there, beside 49 clean frames."""
    dataset = open_dataset(shared_data / "severstal")
    assert len(dataset.frames) == 174
    assert sum(not frame.instances for frame in dataset.frames) == 49
    classes = [class_id for frame in dataset.frames for class_id in frame.class_ids]
    assert [classes.count(class_id) for class_id in range(4)] == [28, 17, 62, 27]
