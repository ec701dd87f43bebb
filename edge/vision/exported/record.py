"""``export.json``: what an exported folder holds, what it was made from, and how it was verified."""

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from edge.errors import ModelFileError

EXPORT_FILE = "export.json"

Format = Literal["onnx", "openvino"]
Precision = Literal["float32", "bfloat16", "int8"]


class Tolerances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far an export may be from the native runtime in float32.

    Attributes:
        error: largest |a - b| / |b| (Euclidean norms) of an output of a graph, over all frames.
        iou: from which two detections of a class are the same.
        score: largest difference of their scores.
        agreement: smallest part of all detections that are the same.
    """

    error: float
    iou: float
    score: float
    agreement: float


class Verification(msgspec.Struct, frozen=True):
    """What was seen when the export was compared with the native runtime.

    ``errors`` is by graph and output, the largest over the frames; ``detections`` counts the native ones.
    """

    frames: int
    frames_from: str
    detections: int
    agreement: float
    errors: dict[str, float]
    tolerances: Tolerances


class Source(msgspec.Struct, frozen=True):
    """The model that was exported."""

    name: str
    version: str


class ExportRecord(msgspec.Struct, frozen=True):
    """The whole file.

    ``files``: SHA-256 by name, of the config and of each graph's files; ``libraries``: versions by name;
    ``verification`` is missing while the export is being made.
    """

    format: Format
    precision: Precision
    opset: int
    source: Source
    files: dict[str, str]
    libraries: dict[str, str]
    calibration_frames: int = 0
    verification: Verification | None = None


def read_record(folder: Path) -> ExportRecord:
    """Read what ``stripsight export`` has left in a folder.

    Raises:
        ModelFileError: the folder was not written by it, or the file is damaged.
    """
    file = folder / EXPORT_FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=ExportRecord)
    except FileNotFoundError:
        raise ModelFileError(
            f"{folder}: holds no {EXPORT_FILE}: it is no exported model; "
            f"`stripsight export --model {folder} --out ...` makes one of it"
        ) from None
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{file}: {error}") from error


def read_verified(folder: Path, record: ExportRecord, name: str) -> bytes:
    """Read a file of the export, which must be the very one that was verified.

    Raises:
        ModelFileError: it is missing, unreadable or another one.
    """
    file = folder / name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    if digest(content) != record.files.get(name):
        raise ModelFileError(f"{file}: is not the file that was verified when the model was exported")
    return content


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
