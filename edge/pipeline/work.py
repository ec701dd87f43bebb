"""A frame on its way through the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.contracts.frame import FrameMetadata, RawFrame
from edge.contracts.results import FrameReference, ModelReference, StageTimes
from edge.errors import FrameError
from edge.pipeline.decode import Image
from edge.vision.detections import Detections


@dataclass(slots=True)
class Work:
    """What is known of a frame so far; each stage fills in its part, and drops what the next needs no more.

    A frame that failed keeps its ``error`` and travels on beside its neighbours, so that the order holds.
    Times are seconds; ``taken_in_at`` is on the event loop's clock.
    """

    raw: RawFrame
    reference: FrameReference
    taken_in_at: float
    metadata: FrameMetadata | None = None
    image: Image | None = None
    width_px: int | None = None
    height_px: int | None = None
    detections: Detections | None = None
    error: FrameError | None = None
    decode_s: float = 0.0
    wait_s: float = 0.0
    infer_s: float = 0.0
    batch_frames: int = 0
    taken_in_on: datetime = field(default_factory=lambda: datetime.now(UTC))

    def fail(self, error: FrameError) -> None:
        """Let the frame go on as failed."""
        self.error = error
        self.image = None
        self.detections = None

    @property
    def age_at_intake_s(self) -> float:
        """From capture to intake; a camera's clock that runs ahead makes no negative age."""
        return max((self.taken_in_on - self.reference.captured_at).total_seconds(), 0.0)

    def times(self) -> StageTimes:
        """What the inspection record tells of the stages."""
        return StageTimes(
            age_ms=_milliseconds(self.age_at_intake_s),
            decode_ms=_milliseconds(self.decode_s),
            wait_ms=_milliseconds(self.wait_s),
            infer_ms=_milliseconds(self.infer_s),
            batch=self.batch_frames,
        )


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that looks at batches, and what it calls its classes."""

    reference: ModelReference
    class_names: tuple[str, ...]


@dataclass(slots=True)
class Batch:
    """Frames that went through the model together, in the order of their intake."""

    number: int
    works: Sequence[Work]
    infer_s: float
    model: ServedModel


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
