"""Replay of image files: their bytes go out as they lie on the disk, never encoded anew."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

from edge.contracts.image_header import read_image_header
from edge.errors import ImageSourceError
from producers.source import CameraImage

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})

# Enough for the start of frame of ordinary JPEGs; those with a large EXIF block before it are read whole.
_HEADER_BYTES = 16 * 1024
_DIGITS = re.compile(r"(\d+)")


def find_images(place: str | Path) -> list[Path]:
    """Return the images of a folder (not of its sub-folders), of a glob, or the one file, in natural order.

    Of a folder, files with the endings of JPEG and PNG count; a glob means every file it names.

    Raises:
        ImageSourceError: there is no such place, or no image in it.
    """
    path = Path(place)
    if path.is_dir():
        found = [child for child in path.iterdir() if child.suffix.lower() in SUFFIXES and child.is_file()]
    elif path.is_file():
        found = [path]
    else:
        found = [match for match in _matches(path) if match.is_file()]
    if not found:
        raise ImageSourceError(_nothing_found(path))
    return sorted(found, key=natural_order)


def _matches(pattern: Path) -> Iterable[Path]:
    root = Path(pattern.anchor)
    return root.glob(str(pattern.relative_to(root)))


def natural_order(path: Path) -> list[tuple[str | int, ...]]:
    """Sort key under which ``frame9`` comes before ``frame10``."""
    return [
        tuple(int(piece) if piece.isdecimal() else piece for piece in _DIGITS.split(part))
        for part in path.parts
    ]


class ReplaySource:
    """The images of a folder, a glob or a list of files, once or for ever.

    Every file's header is read at the start, so that a file which is no image is named before the first frame
    goes out. Whether the rest of it is sound is for the daemon to judge: it gets the very bytes.

    Raises:
        ImageSourceError: no images, or a file that is none.
    """

    def __init__(self, images: str | Path | Sequence[Path], *, loop: bool = False) -> None:
        self.paths = find_images(images) if isinstance(images, str | Path) else list(images)
        if not self.paths:
            raise ImageSourceError("no images to replay")
        self._loop = loop
        _check_headers(self.paths)

    async def __aiter__(self) -> AsyncGenerator[CameraImage, None]:
        """Yield the files in their order.

        Raises:
            ImageSourceError: a file went away, or was overwritten by something else.
        """
        while True:
            for path in self.paths:
                yield await asyncio.to_thread(read_camera_image, path)
            if not self._loop:
                return


def read_camera_image(path: Path) -> CameraImage:
    """Read a file and the size in its header.

    Raises:
        ImageSourceError: the file cannot be read or is neither JPEG nor PNG.
    """
    try:
        value = path.read_bytes()
    except OSError as error:
        raise ImageSourceError(f"{path}: {error.strerror}") from error
    header = read_image_header(value)
    if header is None:
        raise ImageSourceError(f"{path}: neither a JPEG nor a PNG image")
    return CameraImage(value, header.content_type, header.width_px, header.height_px)


def _check_headers(paths: Iterable[Path]) -> None:
    for path in paths:
        if not _has_header(path):
            read_camera_image(path)


def _has_header(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return read_image_header(file.read(_HEADER_BYTES)) is not None
    except OSError:
        return False


def _nothing_found(path: Path) -> str:
    if path.is_dir():
        return f"{path}: no image in this folder (looked for {', '.join(sorted(SUFFIXES))})"
    return f"{path}: no such file or folder, and no file matches it as a pattern"
