"""Replay of image files."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ImageSourceError
from producers.images import ReplaySource, find_images, natural_order


def write_image(path: Path, *, width: int = 8, height: int = 4) -> Path:
    """Write a small grey image whose type follows the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width), 128, np.uint8))
    return path


async def take(source: ReplaySource, count: int) -> list[bytes]:
    """Return the values of the first images."""
    values: list[bytes] = []
    async for image in source:
        values.append(image.value)
        if len(values) == count:
            break
    return values


async def test_bytes_type_and_size_are_the_files_own(tmp_path: Path) -> None:
    """What goes out is what lies on the disk, with the type its bytes have and the size its header tells."""
    jpeg = write_image(tmp_path / "a.jpg", width=16, height=8)
    png = write_image(tmp_path / "b.png", width=24, height=2)

    images = [image async for image in ReplaySource(tmp_path)]

    assert [image.value for image in images] == [jpeg.read_bytes(), png.read_bytes()]
    assert [image.content_type for image in images] == ["image/jpeg", "image/png"]
    assert [(image.width_px, image.height_px) for image in images] == [(16, 8), (24, 2)]


async def test_the_bytes_decide_the_type_not_the_ending(tmp_path: Path) -> None:
    """A PNG that is called .jpg goes out as a PNG."""
    write_image(tmp_path / "a.png").rename(tmp_path / "a.jpg")

    images = [image async for image in ReplaySource(tmp_path)]

    assert [image.content_type for image in images] == ["image/png"]


def test_files_come_in_natural_order(tmp_path: Path) -> None:
    """Frame 9 comes before frame 10; endings in capitals count, other files and sub-folders do not."""
    for name in ("frame10.jpg", "frame9.jpg", "frame1.png", "deeper/frame0.jpg"):
        write_image(tmp_path / name)
    (tmp_path / "frame1.png").rename(tmp_path / "frame1.PNG")
    (tmp_path / "notes.txt").write_text("no image")

    assert [path.name for path in find_images(tmp_path)] == ["frame1.PNG", "frame9.jpg", "frame10.jpg"]


@given(st.lists(st.text(alphabet="ab10/.", min_size=1, max_size=12).map(Path)))
def test_any_names_can_be_ordered(paths: list[Path]) -> None:
    """Numbers and letters in any places of a name never clash."""
    assert len(sorted(paths, key=natural_order)) == len(paths)


def test_a_glob_or_one_file_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative and recursive patterns work, and so does a single file."""
    first, second = write_image(tmp_path / "a/1.jpg"), write_image(tmp_path / "b/2.jpg")
    monkeypatch.chdir(tmp_path)

    assert find_images(f"{tmp_path}/*/*.jpg") == [first, second]
    assert find_images("**/2.jpg") == [Path("b/2.jpg")]
    assert find_images(first) == [first]


async def test_a_loop_starts_over(tmp_path: Path) -> None:
    """With loop, the first image follows the last."""
    for name, width in (("1.png", 8), ("2.png", 9)):
        write_image(tmp_path / name, width=width)

    values = await take(ReplaySource(tmp_path, loop=True), 5)

    first, second = (path.read_bytes() for path in find_images(tmp_path))
    assert values == list(itertools.islice(itertools.cycle([first, second]), 5))


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "nowhere: no such file"), ("empty", "empty: no image in this folder"), ("*.gif", "gif")],
)
def test_a_place_without_images_is_named(tmp_path: Path, place: str, message: str) -> None:
    """Neither a missing place nor an empty folder passes for an empty strip."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(ImageSourceError, match=message.replace("*", r"\*")):
        ReplaySource(tmp_path / place)


def test_a_file_that_is_no_image_is_named_before_the_first_frame(tmp_path: Path) -> None:
    """The bad file is named at the start, not an hour into the replay."""
    write_image(tmp_path / "good.jpg")
    (tmp_path / "zbad.jpg").write_bytes(b"this is text")

    with pytest.raises(ImageSourceError, match=r"zbad\.jpg: neither a JPEG nor a PNG"):
        ReplaySource(tmp_path)


def test_a_damaged_image_with_a_sound_header_is_replayed(tmp_path: Path) -> None:
    """Judging the rest of a file is the daemon's work, so it gets such a frame."""
    path = write_image(tmp_path / "a.jpg", width=64, height=64)
    path.write_bytes(path.read_bytes()[:-40])

    assert ReplaySource(tmp_path).paths == [path]


async def test_a_file_that_goes_away_is_named(tmp_path: Path) -> None:
    """A file removed under the replay ends it with the file's name."""
    path = write_image(tmp_path / "gone.jpg")
    source = ReplaySource(tmp_path)
    path.unlink()

    with pytest.raises(ImageSourceError, match=r"gone\.jpg: No such file"):
        await take(source, 1)


async def test_a_header_behind_a_large_block_is_found(tmp_path: Path) -> None:
    """A JPEG whose size follows 60 kB of EXIF data is an image like any other."""
    path = write_image(tmp_path / "a.jpg", width=16, height=8)
    start, rest = path.read_bytes()[:2], path.read_bytes()[2:]
    path.write_bytes(start + b"\xff\xe1" + (60_000).to_bytes(2, "big") + bytes(59_998) + rest)

    images = [image async for image in ReplaySource(tmp_path)]

    assert [(image.width_px, image.height_px) for image in images] == [(16, 8)]
