"""Everything that can be wrong with a labelled set: its labels, their masks, its pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import simplejpeg
from PIL import Image, UnidentifiedImageError

from edge.training.data.opening import find_labels, read_labels
from edge.training.data.problems import Problem
from edge.training.data.progress import Progress, untold
from edge.training.dataset import Dataset, LabelledFrame

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Findings:
    """A set, as far as it could be read, and what is wrong with it."""

    dataset: Dataset
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """Problems that keep the set from being opened, or a frame of it from being read."""
        return sum(problem.severity == "error" for problem in self.problems)


def check(path: Path, progress: Progress = untold) -> Findings:
    """Read all labels, decode all masks and all pictures; ``progress`` is told: done, of how many.

    Raises:
        DatasetError: there is no labelled set at all.
    """
    labels = find_labels(path)
    dataset, problems = read_labels(labels, masks=True)
    told = {problem.frame for problem in problems}
    for done, frame in enumerate(dataset.frames, start=1):
        # What is missing has been told by line, unless it is a link to nowhere.
        if frame.path.is_file() or frame.name not in told:
            problems += _problems_of_picture(frame, labels)
        progress(done, len(dataset.frames))
    return Findings(dataset, tuple(problems))


def _problems_of_picture(frame: LabelledFrame, labels: Path) -> Iterator[Problem]:
    try:
        width, height = decoded_size(frame.path.read_bytes())
    except UnidentifiedImageError:
        yield Problem(file=frame.path, message="is no picture")
        return
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        yield Problem(file=frame.path, message=f"cannot be read as a picture: {error}")
        return
    if (width, height) != (frame.width_px, frame.height_px):
        message = f"is {width}x{height} px; {labels.name} is for {frame.width_px}x{frame.height_px} px"
        yield Problem(file=frame.path, message=message)


def decoded_size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture that is decoded to its last pixel.

    Raises:
        OSError | SyntaxError | ValueError: it is none, or is cut off or damaged (Pillow raises all of them).
    """
    if data.startswith(_JPEG):
        # Pillow, like OpenCV, passes a damaged JPEG off as pixels.
        height, width = simplejpeg.decode_jpeg(data, "GRAY", strict=True).shape[:2]
        return width, height
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        return picture.size
