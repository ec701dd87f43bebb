"""COCO json: polygons, run lengths and boxes become instances, and what is wrong is told by annotation."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as pycoco

from edge.errors import DatasetError
from edge.training.data import open_dataset
from edge.training.data.coco_masks import RunLengths, decode_segmentation
from edge.training.data.opening import read_labels

BOX = [10.0, 5.0, 20.0, 8.0]


def coco(folder: Path, *annotations: dict[str, Any], **parts: Any) -> Path:
    """A COCO json with two pictures of 60x40 px, which are empty files."""
    (folder / "images").mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / "images" / name).touch()
    document = {
        "images": [
            {"id": 7, "file_name": "b.jpg", "width": 60, "height": 40},
            {"id": 3, "file_name": "a.jpg", "width": 60, "height": 40},
        ],
        "annotations": [
            {"id": 100 + number, "image_id": 3, "category_id": 20, "bbox": BOX, **annotation}
            for number, annotation in enumerate(annotations)
        ],
        "categories": [{"id": 20, "name": "scale"}, {"id": 5, "name": "scratch"}],
    }
    (folder / "labels.json").write_text(json.dumps(document | parts))
    return folder / "labels.json"


def complaints(path: Path) -> list[tuple[object, str, str]]:
    """Annotation, severity and message of every problem."""
    problems = read_labels(path, masks=True)[1]
    return [(problem.annotation, problem.severity, problem.message) for problem in problems]


def test_categories_become_class_ids_in_their_order(tmp_path: Path) -> None:
    """Whatever their ids are, and in whichever order they stand; frames are in the order of their names."""
    coco(tmp_path, {}, {"category_id": 5, "image_id": 7})
    dataset = open_dataset(tmp_path)
    assert dataset.class_names == ("scratch", "scale")
    assert [(frame.name, frame.class_ids) for frame in dataset.frames] == [("a.jpg", {1}), ("b.jpg", {0})]
    assert [frame.path.parent.name for frame in dataset.frames] == ["images", "images"]


def test_without_a_mask_the_box_is_filled(tmp_path: Path) -> None:
    """Edges go to the nearest pixel's, and not beyond the picture."""
    dataset = open_dataset(coco(tmp_path, {}, {"bbox": [50.6, 30, 30, 9.6]}))
    assert not dataset.has_masks
    assert [instance.box_px for instance in dataset.frames[0].instances] == [
        (10, 5, 30, 13),
        (51, 30, 60, 40),
    ]
    assert all(instance.mask.decode().all() for instance in dataset.frames[0].instances)


@settings(deadline=None, max_examples=40)
@given(arrays(np.bool_, (6, 9)))
def test_run_lengths_are_read_as_pycocotools_does(mask: np.ndarray) -> None:
    """Compressed and plain ones alike."""
    compressed = pycoco.encode(np.asfortranarray(mask, dtype=np.uint8))
    decoded = decode_segmentation(RunLengths((6, 9), compressed["counts"].decode()), (6, 9))
    assert np.array_equal(decoded, mask)
    flat = np.concatenate(([False], mask.ravel(order="F")))
    counts = np.diff([0, *np.flatnonzero(np.diff(flat)), mask.size]).tolist()
    assert np.array_equal(decode_segmentation(RunLengths((6, 9), counts), (6, 9)), mask)


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet="".join(map(chr, range(40, 120))), max_size=12))
def test_broken_run_lengths_are_refused(text: str) -> None:
    """Whatever the text is, it is decoded to the picture's size or refused."""
    with contextlib.suppress(DatasetError):
        assert decode_segmentation(RunLengths((6, 9), text), (6, 9)).shape == (6, 9)


def test_polygons_are_one_defect(tmp_path: Path) -> None:
    """Two polygons of an annotation are its two parts, filled as pycocotools fills them."""
    polygons = [[2, 2, 12, 2, 12, 6, 2, 6], [20, 10, 30, 10, 25, 20]]
    dataset = open_dataset(coco(tmp_path, {"segmentation": polygons, "bbox": [2, 2, 28, 18]}))
    assert dataset.has_masks
    (instance,) = dataset.frames[0].instances
    assert instance.box_px == (2, 2, 30, 19)
    parts = pycoco.frPyObjects(polygons, 40, 60)
    assert instance.mask.area_px == pycoco.area(pycoco.merge(parts))


def test_whatever_is_wrong_is_told_by_annotation(tmp_path: Path) -> None:
    """Bad references, broken masks, boxes beside the picture and of another shape than their mask."""
    square = [[10, 5, 30, 5, 30, 13, 10, 13]]
    path = coco(
        tmp_path,
        {"image_id": 9},
        {"category_id": 1},
        {"bbox": [1, 2, 3]},
        {"segmentation": square},
        {"segmentation": [[1, 2, 3, 4]]},
        {"segmentation": {"size": [60, 40], "counts": [2400]}},
        {"segmentation": {"size": [40, 60], "counts": [2000]}},
        {"segmentation": {"size": [40, 60], "counts": "0"}},
        {"bbox": [80, 5, 10, 10]},
        {"segmentation": square, "bbox": [10, 5, 40, 8]},
        {"iscrowd": 1},
    )
    found = complaints(path)
    expected = {
        100: "no image with the id 9",
        101: "no category with the id 1",
        102: "Expected `array` of length 4",
        110: "a crowd is left out",
        104: "three corners",
        105: "the mask is for 40x60 px, the picture 60x40",
        106: "add up to 2000 pixels",
        107: "add up to 0 pixels",
        108: "has no pixel on the picture",
        109: "not that of the mask",
    }
    assert [annotation for annotation, *_ in found[:-1]] == list(expected)
    assert all(words in message for (_, _, message), words in zip(found, expected.values(), strict=False))
    assert found[-1][2] == "1 of 7 annotations have a box and no mask"
    assert [annotation for annotation, severity, _ in found if severity == "warning"] == [110, 109, 108]


def test_missing_pictures_and_parts_are_told(tmp_path: Path) -> None:
    """By the name of the picture, the id of the image, or the part that the file lacks."""
    image = {"id": 3, "file_name": "c.jpg", "width": 60, "height": 40}
    path = coco(tmp_path, images=[image, {**image, "file_name": "a.jpg"}, {"id": 4, "file_name": "x.jpg"}])
    messages = [message for _, _, message in complaints(path)]
    assert len(messages) == 3
    assert "image 4: Object missing required field `width`" in messages
    path.write_text('{"images": []}')
    with pytest.raises(DatasetError, match=r"labels\.json: is no COCO json: .*annotations"):
        open_dataset(path)


def test_classes_that_cannot_be_told_apart_are_told(tmp_path: Path) -> None:
    """By their id, or by the name by which people ask for them."""
    categories = [{"id": 1, "name": "scale"}, {"id": 1, "name": "dent"}, {"id": 2, "name": "scale"}]
    found = [message for _, _, message in complaints(coco(tmp_path, categories=categories))]
    assert found == ["category id 1 is given twice", "two categories have the name 'scale'"]


def test_names_and_sizes_beyond_reason_are_told(tmp_path: Path) -> None:
    """A name that no file system takes, and a picture that no memory holds."""
    images = [
        {"id": 3, "file_name": "a" * 5000, "width": 60, "height": 40},
        {"id": 4, "file_name": "b.jpg", "width": 10**9, "height": 10**9},
    ]
    found = [message for _, _, message in complaints(coco(tmp_path, images=images))]
    assert found[0].startswith("there is no such picture")
    assert found[1] == "1000000000x1000000000 px are too many to be read"


def test_numbers_beyond_reason_are_told(tmp_path: Path) -> None:
    """Boxes are cut at the picture's edge; outlines and run lengths without end are refused."""
    path = coco(
        tmp_path,
        {"bbox": [-1e300, 5, 2e300, 10]},
        {"bbox": [1e308, 5, 1e308, 10]},
        {"segmentation": [[0, 0, 1e9, 0, 1e9, 1e9]]},
        {"segmentation": {"size": [40, 60], "counts": "o" * 1000}},
    )
    found = {annotation: message for annotation, _, message in complaints(path)[:4]}
    assert "leaves the picture" in found[100]
    assert "has no pixel on the picture" in found[101]
    assert "a corner of a polygon is more than 180 px away" in found[102]
    assert "a number beyond all pictures" in found[103]


def test_a_mark_of_the_byte_order_is_no_part_of_the_json(tmp_path: Path) -> None:
    """Editors on Windows put one there."""
    path = coco(tmp_path, {})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(open_dataset(path).frames) == 2


def test_a_broken_mask_is_named_when_it_is_looked_at(tmp_path: Path) -> None:
    """Opening decodes nothing, so that large sets open at once."""
    dataset = open_dataset(coco(tmp_path, {"segmentation": [[1, 2, 3, 4]]}))
    with pytest.raises(DatasetError, match=r"labels\.json, annotation 100: a polygon"):
        list(dataset.frames[0].instances)


@pytest.mark.parametrize("files", [(), ("a.json", "b.json")])
def test_a_folder_without_one_json_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    """Nobody guesses which labels are meant."""
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(DatasetError, match=r"no train\.csv, and (no json|several json files)"):
        open_dataset(tmp_path)


def test_neu_det_opens(shared_data: Path) -> None:
    """1,440 pictures of six classes with 3,317 boxes."""
    dataset = open_dataset(shared_data / "neu-det")
    assert len(dataset.frames) == 1440
    assert len(dataset.class_names) == 6
    assert sum(len(frame.instances) for frame in dataset.frames) == 3317
    assert dataset.frames[0].read().image.shape == (200, 200)
