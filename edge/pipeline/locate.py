"""From pixels of a frame to millimetres of strip."""

from collections.abc import Iterator

import msgspec

from edge.contracts.frame import FrameMetadata
from edge.contracts.results import Box, Defect, FrameReference, ModelReference, StripEdges, defect_id
from edge.vision.detections import Detections


def to_millimetres(box_px: Box, frame: FrameMetadata) -> Box:
    """Return the box in mm of strip: x from the operator-side edge, y along the coil."""
    return Box(
        x0=frame.offset_mm + box_px.x0 * frame.pitch_x_mm,
        y0=frame.position_mm + box_px.y0 * frame.pitch_y_mm,
        x1=frame.offset_mm + box_px.x1 * frame.pitch_x_mm,
        y1=frame.position_mm + box_px.y1 * frame.pitch_y_mm,
    )


def strip_shown(width_px: int, height_px: int, frame: FrameMetadata, edges: StripEdges | None = None) -> Box:
    """Return the part of the strip that a frame shows, in mm: up to its border, or the edges found on it."""
    x0 = edges.operator_px if edges else None
    x1 = edges.drive_px if edges else None
    return to_millimetres(Box(x0 or 0, 0, width_px if x1 is None else x1, height_px), frame)


def measured_from(edges: StripEdges, frame: FrameMetadata) -> FrameMetadata:
    """Return metadata whose x is measured from the strip's operator-side edge, where that was found.

    It goes before what camera or settings say: the strip wanders, and they do not know how far.
    """
    if edges.operator_px is None:
        return frame
    return msgspec.structs.replace(frame, offset_mm=-edges.operator_px * frame.pitch_x_mm)


def locate_defects(
    detections: Detections,
    frame: FrameMetadata,
    reference: FrameReference,
    model: ModelReference,
    class_names: tuple[str, ...],
) -> Iterator[Defect]:
    """Yield every detection as a defect on the strip, the highest score first."""
    for index, (box, score, class_id) in enumerate(
        zip(detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True)
    ):
        box_px = Box(*box)
        mask = detections.masks[index] if detections.masks is not None else None
        area_px = mask.area_px if mask else round(box_px.area)
        yield Defect(
            id=defect_id(reference.id, index),
            frame=reference,
            index=index,
            class_id=class_id,
            class_name=class_names[class_id],
            score=score,
            box_px=box_px,
            box_mm=to_millimetres(box_px, frame),
            area_px=area_px,
            area_mm2=area_px * frame.pitch_x_mm * frame.pitch_y_mm,
            mask=mask,
            model=model,
        )
