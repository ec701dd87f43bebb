"""Severstal's files: masks as Kaggle encodes them, frames, and the split."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CorruptImageError, RecordError
from edge.training.data.severstal import components, decode_rle, held_out, read_frame, read_frames, read_rows


def test_runs_go_down_the_columns_from_one() -> None:
    """Pixel 1 is the first of the first column, pixel 257 the first of the second."""
    mask = decode_rle("1 3 257 1")
    assert mask.shape == (256, 1600)
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [1, 0], [2, 0]]


@pytest.mark.parametrize("rle", ["1", "0 5", "409600 2", "5 0", "-3 4", "one two", "1 2 3"])
def test_broken_runs_are_refused(rle: str) -> None:
    """Odd counts, runs beyond the frame, empty runs and words are errors."""
    with pytest.raises(RecordError, match="mask runs"):
        decode_rle(rle)


def test_components_become_instances() -> None:
    """Two separate blobs of a class are two defects; blobs that touch at a corner are one."""
    mask = np.zeros((256, 1600), np.bool_)
    mask[10:20, 30:40] = True
    mask[20:25, 40:45] = True
    mask[100:110, 500:520] = True
    boxes = [instance.box_px for instance in components(2, mask)]
    assert boxes == [(30, 10, 45, 25), (500, 100, 520, 110)]


def test_masks_survive_as_instances(tmp_path: Path) -> None:
    """The union of a frame's instances is the mask that was read."""
    path = tmp_path / "0a1.jpg"
    cv2.imwrite(str(path), np.full((256, 1600), 90, np.uint8))
    sample = read_frame(path, [(0, "5 10 900 20"), (3, "5000 3")])
    assert sample.name == "0a1"
    assert np.array_equal(sample.mask_of_class(0), decode_rle("5 10 900 20"))
    assert [i.class_id for i in sample.instances] == [0, 0, 3]


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    """The error says which file it was."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(CorruptImageError, match=r"broken\.jpg"):
        read_frame(path)


def test_the_split_is_by_name_and_about_one_in_five() -> None:
    """The same name is always on the same side."""
    names = [f"{number:09x}" for number in range(2000)]
    share = np.mean([held_out(name) for name in names])
    assert 0.17 < share < 0.23
    assert held_out("00031f466") == held_out("00031f466")


def test_real_frames_are_read_with_their_masks(shared_data: Path) -> None:
    """All 134 masks of the 125 labelled frames are there, beside 49 clean frames."""
    folder = shared_data / "severstal"
    assert sum(map(len, read_rows(folder / "train.csv").values())) == 134
    frames = read_frames(folder)
    assert len(frames) == 174
    assert sum(not frame.instances for frame in frames) == 49
    assert {frame.image.shape for frame in frames} == {(256, 1600)}
