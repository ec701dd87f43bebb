"""What is answered about a frame: its inspection and its defects, or the problem with it."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from edge.contracts.results import Defect, Inspection
from edge.errors import (
    ContentTypeError,
    FrameError,
    InferenceError,
    ModelMemoryError,
    NotReadyError,
    OverloadedError,
    RequestTooLargeError,
    SlowRequestError,
    StrangerError,
)
from edge.pipeline.records import defects_of, inspection_of
from edge.pipeline.work import ServedModel, Work

PROBLEM_TYPE = "urn:stripsight:problem:"
PROBLEM_CONTENT_TYPE = "application/problem+json"

# Whatever else is wrong with a frame, its sender can mend.
_STATUS = {
    FrameError.reason: HTTPStatus.INTERNAL_SERVER_ERROR,
    InferenceError.reason: HTTPStatus.INTERNAL_SERVER_ERROR,
    ModelMemoryError.reason: HTTPStatus.INTERNAL_SERVER_ERROR,
    StrangerError.reason: HTTPStatus.UNAUTHORIZED,
    RequestTooLargeError.reason: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ContentTypeError.reason: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    SlowRequestError.reason: HTTPStatus.REQUEST_TIMEOUT,
    OverloadedError.reason: HTTPStatus.SERVICE_UNAVAILABLE,
    NotReadyError.reason: HTTPStatus.SERVICE_UNAVAILABLE,
}


class InspectedFrame(msgspec.Struct, frozen=True):
    """The records that the daemon would publish of a frame."""

    inspection: Inspection
    """The audit record, of a failed frame too."""
    defects: list[Defect]
    """Every defect, the highest score first."""


class InspectedFrames(msgspec.Struct, frozen=True):
    """What is answered about the images of a form, in their order."""

    results: list[InspectedFrame]
    """A frame that failed is among them: its inspection says why."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with a request (RFC 9457, problem details)."""

    type: str
    """``urn:stripsight:problem:`` and the reason."""
    title: str
    """The reason in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong in this very request."""
    inspections: list[Inspection] = []
    """The audit records of the frames that were taken in."""


def inspected(work: Work, model: ServedModel) -> InspectedFrame:
    """Return the records of a frame that went through the stages."""
    defects = list(defects_of(work, model))
    return InspectedFrame(inspection_of(work, len(defects), model.reference), defects)


def problem(reason: str, detail: str, inspections: Sequence[Inspection] = ()) -> Problem:
    """Describe a problem by its reason: of a `FrameError` or a `RequestError`."""
    return Problem(
        type=f"{PROBLEM_TYPE}{reason}",
        title=reason.replace("_", " ").capitalize(),
        status=_STATUS.get(reason, HTTPStatus.UNPROCESSABLE_ENTITY),
        detail=detail,
        inspections=list(inspections),
    )


def problem_of(frames: Sequence[InspectedFrame]) -> Problem | None:
    """Return what was wrong with the first frame if none could be inspected, else None."""
    inspections = [frame.inspection for frame in frames]
    if any(inspection.outcome == "inspected" for inspection in inspections):
        return None
    first = inspections[0]
    return problem(first.reason or FrameError.reason, first.detail or "", inspections)
