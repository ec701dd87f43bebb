"""What the daemon publishes: one inspection for every frame, and every defect."""

from typing import Annotated, Literal, Self

import msgspec

from edge.contracts.frame import Count, FrameMetadata, FrameOrigin, Name, Side, Timestamp
from edge.contracts.mask import Mask

Outcome = Literal["inspected", "skipped", "failed"]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]
SquareMillimetres = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]

TOO_OLD = "too_old"
SKIP_REASONS = (TOO_OLD,)
"""Why a frame may be skipped: what inspection records and metrics say."""


class Box(msgspec.Struct, frozen=True):
    """A box from its first corner (``x0``, ``y0``) to its opposite (``x1``, ``y1``).

    In pixels: of the frame, x along a row, y down the rows. In millimetres: of strip, x across it from the
    operator-side edge, y along the coil.
    """

    x0: float
    """Smallest x."""
    y0: float
    """Smallest y."""
    x1: float
    """Largest x, exclusive."""
    y1: float
    """Largest y, exclusive."""

    @property
    def area(self) -> float:
        """Width times height, in the square of the box's unit."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


class ModelReference(msgspec.Struct, frozen=True):
    """Which model looked, and how exactly; ``version`` is derived from config and weights."""

    name: str
    """Name of the model."""
    version: str
    """Derived from config and weights: other weights, other version."""
    precision: str | None = None
    """What its network computed in, such as float32 or bfloat16; null where nobody told."""


class FrameReference(msgspec.Struct, frozen=True, kw_only=True):
    """The frame that a result is about. What a failed frame did not tell is null."""

    id: str
    """``topic:partition:offset``, the same however often the frame is inspected."""
    topic: str
    """Topic that the frame lies on."""
    partition: Count
    """Partition of that topic."""
    offset: Count
    """Offset in that partition."""
    line: Name
    """Rolling line."""
    camera: Name
    """Id of the camera."""
    captured_at: Timestamp
    """When the frame was taken."""
    coil: Name | None = None
    """Id of the coil; null where nobody told."""
    side: Side | None = None
    """Side of the strip."""
    sequence: Count | None = None
    """Number of the frame, counted by its camera."""

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


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """The cheap first look at a frame, which decides whether the model looks as well."""

    score: Score
    """How suspicious the frame is; of a frame in tiles, its most suspicious tile."""
    threshold: Score
    """The score from which a frame goes on to the model."""
    passed: bool
    """Whether it went on; if not, it has no defects, and no model but the screen has looked."""
    model: ModelReference
    """The screen."""


class StripEdges(msgspec.Struct, frozen=True, kw_only=True):
    """Where on a frame the strip begins and ends; null where that edge was not looked for or not found."""

    operator_px: Count | None = None
    """Column in which the strip begins, at its operator-side edge."""
    drive_px: Count | None = None
    """Column behind the strip's last one, at its drive-side edge."""


class StageTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds that a frame spent in each stage."""

    age_ms: Milliseconds = 0.0
    """From capture to intake."""
    decode_ms: Milliseconds = 0.0
    """Decoding the image."""
    wait_ms: Milliseconds = 0.0
    """From intake to inference, less decoding."""
    infer_ms: Milliseconds = 0.0
    """Inference of the batch that the frame was in."""
    batch: Count = 0
    """Frames in that batch; 0 where there was none."""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The audit record: exactly one for every frame taken in, clean and failed ones too."""

    id: str
    """The frame's id: primary key of the audit trail."""
    frame: FrameReference
    """The frame that was taken in."""
    outcome: Outcome
    """Whether the frame was looked at, skipped, or failed."""
    inspected_at: Timestamp
    """When the outcome was known."""
    times: StageTimes
    """Time spent in each stage."""
    defects: Count = 0
    """Number of defect records published for the frame."""
    reason: str | None = None
    """Why the frame was skipped or failed, one of a few words; null for an inspected one."""
    detail: str | None = None
    """What was wrong with the frame, for people."""
    width_px: Count | None = None
    """Width of the image; null where it could not be told."""
    height_px: Count | None = None
    """Height of the image; null where it could not be told."""
    strip_mm: Box | None = None
    """Part of the strip that the frame shows, in mm; null where a failed frame did not tell."""
    strip_edges: StripEdges | None = None
    """Edges of the strip on the frame; null where its camera's settings do not ask for them."""
    screening: Screening | None = None
    """What the screen found; null where there is no screen."""
    model: ModelReference | None = None
    """The model that looked; null where none did."""


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """One defect, in pixels of its frame and in millimetres of strip."""

    id: str
    """``<frame id>#<index>``: primary key of the defect."""
    frame: FrameReference
    """The frame that shows the defect."""
    index: Count
    """Number of the defect in its frame, from 0."""
    class_id: Count
    """Number of the class, from 0."""
    class_name: str
    """Name of the class, as the model's folder gives it."""
    score: Score
    """How sure the model is."""
    box_px: Box
    """Box in pixels of the frame."""
    box_mm: Box
    """Box in mm of strip."""
    area_px: Count
    """Pixels of the mask, or of the box where there is no mask."""
    area_mm2: SquareMillimetres
    """The same area in mm² of strip."""
    model: ModelReference
    """The model that found it."""
    mask: Mask | None = None
    """Its pixels; null if the model has no masks."""


def defect_id(frame_id: str, index: int) -> str:
    """``<frame id>#<index>``: the same defect has the same id however often its frame is inspected."""
    return f"{frame_id}#{index}"
