"""A frame on its way through the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from edge.contracts.frame import FrameMetadata, RawFrame
from edge.contracts.results import (
    FrameReference,
    ModelReference,
    Outcome,
    Screening,
    StageTimes,
    StripEdges,
)
from edge.errors import FrameError
from edge.pipeline.decode import Image
from edge.vision.detections import Detections


class Skip(NamedTuple):
    """Why a frame was left out: one of a few words, and a sentence."""

    reason: str
    detail: str


@dataclass(slots=True)
class Work:
    """What is known of a frame so far; each stage fills in its part, and drops what the next needs no more.

    ``image`` begins at column ``first_column`` of the frame, where black beside the strip was cut off;
    ``detections`` are in px of the whole frame, which is ``width_px`` wide.
    A frame that failed keeps its ``error``, one that was ``skipped`` the reason; both travel on beside their
    neighbours, so that the order holds.
    Times are seconds; ``taken_in_at`` and ``decode_began_at`` are on the event loop's clock.
    """

    raw: RawFrame
    reference: FrameReference
    taken_in_at: float
    metadata: FrameMetadata | None = None
    image: Image | None = None
    width_px: int | None = None
    height_px: int | None = None
    strip_edges: StripEdges | None = None
    first_column: int = 0
    detections: Detections | None = None
    error: FrameError | None = None
    skipped: Skip | None = None
    decode_began_at: float | None = None
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

    def skip(self, reason: str, detail: str) -> None:
        """Let the frame go on as skipped: nobody needs its bytes any more, thousands of such may wait."""
        self.skipped = Skip(reason, detail)
        self.image = None
        self.raw = replace(self.raw, key=None, headers=(), value=None)

    @property
    def needs_model(self) -> bool:
        """Whether the model will look at the frame, for all that is known so far."""
        return self.error is None and self.skipped is None

    @property
    def screening(self) -> Screening | None:
        """What a screen found, if there is one and it has looked."""
        return None if self.detections is None else self.detections.screening

    @property
    def was_modelled(self) -> bool:
        """Whether the model was asked about the frame, and not only the screen before it."""
        return self.needs_model and (self.screening is None or self.screening.passed)

    @property
    def outcome(self) -> Outcome:
        """What its inspection record says."""
        if self.error is not None:
            return "failed"
        return "inspected" if self.skipped is None else "skipped"

    @property
    def reason(self) -> str | None:
        """Why it failed or was skipped, as a label."""
        return self.error.reason if self.error else self.skipped and self.skipped.reason

    @property
    def detail(self) -> str | None:
        """The same in words."""
        return self.error.detail if self.error else self.skipped and self.skipped.detail

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
