"""A strip in files: Severstal's format, the same bytes for the same seed, and masks as they were drawn."""

import csv
import multiprocessing
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.contracts.mask import Mask
from edge.errors import OutputError
from edge.training.data import open_dataset, rle
from edge.training.synthetic import SyntheticFrame
from edge.training.synthetic.strip import GroundTruth
from edge.training.synthetic.write import StripSettings, table_rows, write_frames, write_strip

STRIP = StripSettings(frames=10, seed=5, balanced=True, defect_rate=0.8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strip of ten frames."""
    out = tmp_path_factory.mktemp("strip") / "new" / "folder"
    write_strip(out, STRIP)
    return out


@pytest.fixture(scope="module")
def drawn() -> list[SyntheticFrame]:
    """The frames that the folder holds."""
    return [STRIP.strip().frame(index) for index in range(STRIP.frames)]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, by its path in the folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read_table(folder: Path) -> list[tuple[str, int, str]]:
    """ImageId, ClassId and EncodedPixels of each row."""
    with (folder / "train.csv").open(newline="") as file:
        return [(r["ImageId"], int(r["ClassId"]), r["EncodedPixels"]) for r in csv.DictReader(file)]


def union(frame: SyntheticFrame, class_id: int) -> np.ndarray:
    """(H, W) bool: all masks of a class."""
    mask = np.zeros(frame.image.shape, np.bool_)
    for defect in frame.defects:
        if defect.class_id == class_id:
            x0, y0, x1, y1 = defect.box_px
            mask[y0:y1, x0:x1] |= defect.mask.decode()
    return mask


def test_the_table_decodes_to_exactly_the_drawn_masks(folder: Path, drawn: list[SyntheticFrame]) -> None:
    """Each class of each frame has one row, whose pixels are those of the truth; clean frames have none."""
    table = read_table(folder)
    for index, frame in enumerate(drawn):
        found = {class_id: runs for name, class_id, runs in table if name == STRIP.name(index)}
        assert set(found) == {defect.class_id + 1 for defect in frame.defects}
        for class_id, runs in found.items():
            assert np.array_equal(rle.decode(runs, 256, 1600), union(frame, class_id - 1))
    assert len(table) > 5


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1599), st.integers(0, 255)), min_size=1, max_size=60))
def test_any_mask_survives_the_table(pixels: list[tuple[int, int]]) -> None:
    """Single pixels, corners and whole columns come back as they were, whatever touches whatever."""
    mask = np.zeros((256, 1600), np.bool_)
    for x, y in pixels:
        mask[y : y + 7, x] = True
    defect = GroundTruth(2, Mask.encode(mask), (0, 0, 1600, 256))
    ((name, class_id, runs),) = table_rows("a.jpg", mask.shape, [defect])
    assert (name, class_id) == ("a.jpg", 3)
    assert np.array_equal(rle.decode(runs, 256, 1600), mask)


def test_the_table_is_kaggles(folder: Path) -> None:
    """Its header is Severstal's, classes count from 1, frames come in order, and each has a picture."""
    assert (folder / "train.csv").read_bytes().startswith(b"ImageId,ClassId,EncodedPixels\nstrip5-")
    keys = [(name, class_id) for name, class_id, _ in read_table(folder)]
    assert keys == sorted(set(keys))
    assert {name for name, _ in keys} < {path.name for path in (folder / "train_images").iterdir()}
    assert {class_id for _, class_id in keys} <= {1, 2, 3, 4}


def test_it_is_a_labelled_set_like_any_other(folder: Path, drawn: list[SyntheticFrame]) -> None:
    """Training opens it as Severstal's, and finds one instance for each drawn defect."""
    frames = open_dataset(folder).frames
    assert [frame.name for frame in frames] == [STRIP.name(index) for index in range(STRIP.frames)]
    for frame, truth in zip(frames, drawn, strict=True):
        boxes = sorted((i.class_id, i.box_px) for i in frame.read().instances)
        assert boxes == sorted((defect.class_id, defect.box_px) for defect in truth.defects)


def test_pictures_are_coded_as_severstals_are(folder: Path, drawn: list[SyntheticFrame]) -> None:
    """Three equal channels, 1600x256, quality 90 with colour at half resolution, close to what was drawn."""
    paths = sorted((folder / "train_images").iterdir())
    assert [path.name for path in paths] == [STRIP.name(index) for index in range(STRIP.frames)]
    for path, frame in zip(paths, drawn, strict=True):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (256, 1600, 3)
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        assert np.abs(picture[..., 0].astype(int) - frame.image).mean() < 3
    with Image.open(paths[0]) as opened:
        assert opened.mode == "RGB"
        assert opened.quantization[0][:8] == [3, 2, 2, 3, 5, 8, 10, 12]
        assert [layer[1:3] for layer in opened.layer] == [(2, 2), (1, 1), (1, 1)]


def test_other_processes_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Neither the process nor the number of them shows in any file."""
    seen: list[tuple[int, int]] = []
    write_strip(tmp_path / "two", STRIP, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert contents(tmp_path / "two") == contents(folder)
    assert seen == [(8, STRIP.frames), (10, STRIP.frames)]


def test_a_longer_strip_begins_with_the_shorter_one(folder: Path, tmp_path: Path) -> None:
    """Frame k depends on seed, k and settings alone, so data sets can grow."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    longer = StripSettings(frames=99, seed=5, balanced=True, defect_rate=0.8)
    write_frames(longer, pictures, [7])
    name = STRIP.name(7)
    assert (pictures / name).read_bytes() == (folder / "train_images" / name).read_bytes()


def test_the_folder_says_what_was_drawn(folder: Path) -> None:
    """Whoever finds it can draw it again."""
    said = yaml.safe_load((folder / "strip.yaml").read_text())
    assert StripSettings(**said) == STRIP


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    """Real data is not overwritten by drawn data, not even when told to overwrite."""
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n")
    with pytest.raises(OutputError, match="holds no synthetic strip"):
        write_strip(tmp_path, STRIP, overwrite=True)
    assert contents(tmp_path) == {"train.csv": b"ImageId,ClassId,EncodedPixels\n"}


def test_an_interrupted_run_is_noticed_and_can_be_drawn_anew(tmp_path: Path) -> None:
    """Ctrl-C leaves no table; the next run says so, and replaces what is there when told to."""

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_strip(tmp_path, STRIP, progress=interrupt)
    assert not (tmp_path / "train.csv").exists()
    with pytest.raises(OutputError, match="interrupted; draw it anew with --overwrite"):
        write_strip(tmp_path, STRIP)
    shorter = StripSettings(frames=2, seed=6)
    write_strip(tmp_path, shorter, overwrite=True)
    assert set(contents(tmp_path)) == {
        "strip.yaml",
        "train.csv",
        "train_images/strip6-000000.jpg",
        "train_images/strip6-000001.jpg",
    }


def test_a_process_that_is_killed_is_one_clear_message(tmp_path: Path) -> None:
    """As the kernel does when memory is short."""

    def kill(*_: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(OutputError, match="a process that draws was ended from outside"):
        write_strip(tmp_path, StripSettings(frames=2000, seed=1), jobs=2, progress=kill)
    assert not (tmp_path / "train.csv").exists()


def test_a_full_disk_is_one_clear_message(tmp_path: Path, no_room) -> None:  # noqa: ANN001 - conftest's
    """The message names the folder's option; no table appears."""
    with no_room(), pytest.raises(OutputError, match=r"cannot write .* \(--out "):
        write_strip(tmp_path, STRIP)
    assert not (tmp_path / "train.csv").exists()
