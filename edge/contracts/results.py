"""What the daemon publishes: one inspection for every frame, and every defect."""

from typing import Annotated, Literal, Self

import msgspec

from edge.contracts.frame import Count, FrameMetadata, FrameOrigin, Millimetres, Name, Side, Timestamp
from edge.contracts.mask import Mask

Outcome = Literal["inspected", "skipped", "failed"]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


class Box(msgspec.Struct, frozen=True):
    """A box from its first corner (``x0``, ``y0``) to its opposite (``x1``, ``y1``).

    In pixels: of the frame, x along a row, y down the rows. In millimetres: of strip, x across it from the
    operator-side edge, y along the coil.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Width times height, in the square of the box's unit."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


class ModelReference(msgspec.Struct, frozen=True):
    """Which model looked; ``version`` is derived from config and weights."""

    name: str
    version: str


class FrameReference(msgspec.Struct, frozen=True, kw_only=True):
    """The frame that a result is about. What a failed frame did not tell is null."""

    id: str
    topic: str
    partition: Count
    offset: Count
    line: Name
    camera: Name
    captured_at: Timestamp
    coil: Name | None = None
    side: Side | None = None
    sequence: Count | None = None

    @classmethod
    def of(cls, origin: FrameOrigin, metadata: FrameMetadata) -> Self:
        """Refer to a frame whose metadata is known."""
        return cls(
            id=origin.id,
            topic=origin.topic,
            partition=origin.partition,
            offset=origin.offset,
            line=metadata.line,
            camera=metadata.camera,
            captured_at=metadata.captured_at,
            coil=metadata.coil,
            side=metadata.side,
            sequence=metadata.sequence,
        )

    @property
    def key(self) -> bytes:
        """The key of result records: one coil's results keep their order (one camera's without a coil)."""
        return (self.coil or self.camera).encode()


class StageTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds that a frame spent in each stage.

    ``age_ms``: from capture to intake. ``decode_ms``: decoding the image. ``wait_ms``: from intake to
    inference less decoding. ``infer_ms``: the inference of its batch of ``batch`` frames.
    """

    age_ms: Milliseconds = 0.0
    decode_ms: Milliseconds = 0.0
    wait_ms: Milliseconds = 0.0
    infer_ms: Milliseconds = 0.0
    batch: Count = 0


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The audit record: exactly one for every frame taken in, clean and failed ones too.

    ``strip_mm`` is the part of the strip that the frame shows; null where a failed frame did not tell.
    """

    id: str
    frame: FrameReference
    outcome: Outcome
    inspected_at: Timestamp
    times: StageTimes
    defects: Count = 0
    reason: str | None = None
    detail: str | None = None
    width_px: Count | None = None
    height_px: Count | None = None
    strip_mm: Box | None = None
    model: ModelReference | None = None


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """One defect, in pixels of its frame and in millimetres of strip."""

    id: str
    frame: FrameReference
    index: Count
    class_id: Count
    class_name: str
    score: Score
    box_px: Box
    box_mm: Box
    area_px: Count
    area_mm2: Millimetres
    model: ModelReference
    mask: Mask | None = None


def defect_id(frame_id: str, index: int) -> str:
    """``<frame id>#<index>``: the same defect has the same id however often its frame is inspected."""
    return f"{frame_id}#{index}"
