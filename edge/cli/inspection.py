"""Files through the model: decoded, inferred in batches, and what came of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from edge.contracts import Mask, ModelReference
from edge.errors import FrameError, InferenceError
from edge.pipeline.decode import Image, decode_image
from edge.settings import PipelineSettings
from edge.vision import Detections, Runtime


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file that was inspected."""

    path: Path
    image: Image
    detections: Detections


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be; ``reason`` is the label that its frame would have as a dead letter."""

    path: Path
    reason: str
    error: str


class InspectedLine(msgspec.Struct, frozen=True):
    """The JSON line of an inspected file; its lists run in parallel, best score first.

    ``boxes_px``: x0, y0, x1, y1 each. ``masks``: null when the model has none.
    """

    file: str
    width_px: int
    height_px: int
    model: ModelReference
    boxes_px: list[tuple[float, float, float, float]]
    scores: list[float]
    classes: list[int]
    class_names: list[str]
    masks: tuple[Mask, ...] | None


class FailedLine(msgspec.Struct, frozen=True):
    """The JSON line of a file that could not be inspected."""

    file: str
    reason: str
    error: str


class FileInspection:
    """Runs a model on files, ``max_batch`` at a time."""

    def __init__(self, runtime: Runtime, settings: PipelineSettings) -> None:
        self._runtime = runtime
        self._max_batch = settings.max_batch
        self._max_pixels = settings.max_pixels

    def run(self, paths: Sequence[Path]) -> Iterator[InspectedFile | FailedFile]:
        """Yield what came of each file, in their order."""
        remaining = iter(paths)
        while batch := list(islice(remaining, self._max_batch)):
            yield from self._inspect([self._decode(path) for path in batch])

    def _decode(self, path: Path) -> tuple[Path, Image] | FailedFile:
        try:
            return path, decode_image(path.read_bytes(), max_pixels=self._max_pixels)
        except FrameError as error:
            return FailedFile(path, error.reason, str(error))
        except OSError as error:
            return FailedFile(path, "unreadable", error.strerror or str(error))

    def _inspect(
        self, batch: Sequence[tuple[Path, Image] | FailedFile]
    ) -> Iterator[InspectedFile | FailedFile]:
        decoded = [entry for entry in batch if not isinstance(entry, FailedFile)]
        found = iter(self._infer([image for _, image in decoded]))
        for entry in batch:
            yield entry if isinstance(entry, FailedFile) else InspectedFile(*entry, next(found))

    def _infer(self, images: list[Image]) -> list[Detections]:
        detections = self._runtime.infer(images) if images else []
        if len(detections) != len(images):
            raise InferenceError(f"the model answered {len(detections)} images when asked for {len(images)}")
        return detections


def json_line(file: InspectedFile | FailedFile, runtime: Runtime) -> bytes:
    """Return what ``--json`` prints of a file."""
    if isinstance(file, FailedFile):
        return msgspec.json.encode(FailedLine(str(file.path), file.reason, file.error))
    found = file.detections
    height, width = file.image.shape[:2]
    line = InspectedLine(
        file=str(file.path),
        width_px=width,
        height_px=height,
        model=ModelReference(runtime.model_name, runtime.model_version, runtime.precision),
        boxes_px=[tuple(box) for box in found.boxes.tolist()],
        scores=found.scores.tolist(),
        classes=found.classes.tolist(),
        class_names=[runtime.class_names[class_id] for class_id in found.classes.tolist()],
        masks=found.masks,
    )
    return msgspec.json.encode(line)
