"""Results on disk: two files of JSON lines, and a picture of every frame on which something was found."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from consumers.join import InspectedFrame
from consumers.output import writing_into
from consumers.pictures import draw, encode_jpeg, scene_of_inspection
from edge.contracts import Inspection, RawFrame
from edge.contracts.cloudevents import decode_headers
from edge.contracts.encoding import encode_record
from edge.contracts.image_header import MONO8, sniff
from edge.errors import FrameError
from edge.pipeline.decode import Image, decode_image

DEFECTS_FILE = "defects.jsonl"
INSPECTIONS_FILE = "inspections.jsonl"
PICTURES_FOLDER = "pictures"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")


class Archive:
    """Writes inspected frames into a folder. Blocks: an event loop calls it in a thread.

    Results of an earlier run in the same folder are set aside into ``earlier-1``, ``earlier-2`` ..., so that
    the files tell of one run and nothing is lost. Pictures appear whole or not at all.

    Each of its methods raises OutputError where the system refuses: no right to write, no room left.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = 0
        self.without_picture = 0
        with writing_into(folder), ExitStack() as files:
            _set_aside_earlier(folder)
            (folder / PICTURES_FOLDER).mkdir(parents=True, exist_ok=True)
            self._defects = files.enter_context((folder / DEFECTS_FILE).open("wb"))
            self._inspections = files.enter_context((folder / INSPECTIONS_FILE).open("wb"))
            self._files = files.pop_all()

    def __enter__(self) -> Self:
        """Return the archive."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files; the archive takes no more."""
        with writing_into(self.folder):
            self._files.close()

    def write(self, inspected: InspectedFrame) -> None:
        """Write the records of a frame, and its picture if there are defects on it.

        A picture that cannot be drawn, since the frame was dropped or cannot be decoded, is counted.
        """
        with writing_into(self.folder):
            _append(self._defects, inspected.defects)
            _append(self._inspections, [inspected.inspection])
        if not inspected.defects:
            return
        try:
            picture = draw_inspected(inspected)
        except FrameError:
            picture = None
        if picture is None:
            self.without_picture += 1
            return
        with writing_into(self.folder):
            _write_whole(self._path_of(inspected.inspection), picture)
        self.pictures += 1

    def _path_of(self, inspection: Inspection) -> Path:
        """Name the picture after camera, coil and sequence; one that has this name already is left alone."""
        frame = inspection.frame
        number = f"{frame.partition}-{frame.offset}" if frame.sequence is None else f"{frame.sequence:08d}"
        stem = "_".join(_safe(part) for part in (frame.camera, frame.coil or "no-coil", number))
        path = self.folder / PICTURES_FOLDER / f"{stem}.jpg"
        return path.with_stem(f"{stem}_{_safe(frame.id)}") if path.exists() else path


def draw_inspected(inspected: InspectedFrame) -> bytes | None:
    """Draw a frame with its defects as a JPEG image; None without the frame.

    Raises:
        FrameError: the frame cannot be decoded.
    """
    if inspected.frame is None:
        return None
    image = _decode(inspected.frame, inspected.inspection)
    return encode_jpeg(draw(image, scene_of_inspection(inspected.inspection, inspected.defects)))


def _decode(frame: RawFrame, inspection: Inspection) -> Image:
    """Decode what the daemon has already decoded once: its inspection tells the size of a raw image."""
    value = frame.value or b""
    width, height = inspection.width_px or 0, inspection.height_px or 0
    kind = sniff(value) or decode_headers(frame.headers).content_type or MONO8
    return decode_image(value, kind, width_px=width, height_px=height, max_pixels=width * height)


def _append(file: BinaryIO, records: Sequence[msgspec.Struct]) -> None:
    file.write(b"".join(encode_record(record) + b"\n" for record in records))
    file.flush()


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _safe(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", text).strip(".") or "-"


def _set_aside_earlier(folder: Path) -> None:
    earlier = [folder / name for name in (DEFECTS_FILE, INSPECTIONS_FILE, PICTURES_FOLDER)]
    earlier = [path for path in earlier if path.exists()]
    if not earlier:
        return
    aside = _first_free(folder)
    aside.mkdir()
    for path in earlier:
        path.rename(aside / path.name)


def _first_free(folder: Path) -> Path:
    number = 1
    while (free := folder / f"earlier-{number}").exists():
        number += 1
    return free
