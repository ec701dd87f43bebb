"""What is said of a frame once its outcome is known: its inspection, and its defects."""

from collections.abc import Iterator
from datetime import UTC, datetime

from edge.contracts.results import Defect, Inspection, ModelReference
from edge.pipeline.locate import locate_defects, strip_shown
from edge.pipeline.work import ServedModel, Work


def defects_of(work: Work, model: ServedModel) -> Iterator[Defect]:
    """Yield every defect of a frame, the highest score first; none of one that failed or was skipped."""
    if work.detections is not None and work.metadata is not None:
        yield from locate_defects(
            work.detections, work.metadata, work.reference, model.reference, model.class_names
        )


def inspection_of(work: Work, defects: int, model: ModelReference) -> Inspection:
    """Return the audit record of a frame with so many defects."""
    strip = None
    if work.metadata is not None and work.width_px and work.height_px:
        strip = strip_shown(work.width_px, work.height_px, work.metadata, work.strip_edges)
    return Inspection(
        id=work.reference.id,
        frame=work.reference,
        outcome=work.outcome,
        reason=work.reason,
        detail=work.detail,
        inspected_at=datetime.now(UTC),
        times=work.times(),
        defects=defects,
        width_px=work.width_px,
        height_px=work.height_px,
        strip_mm=strip,
        strip_edges=work.strip_edges,
        model=model if work.was_modelled else None,
        screening=work.screening,
    )
