"""What a picture tells, before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.palette import Colour, colour_of_class
from edge.contracts import Box, Defect, Inspection, Mask
from edge.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class Mark:
    """One defect: its label, its colour, and where it is in pixels of the frame."""

    label: str
    colour: Colour
    box_px: Box
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Scale:
    """What the axes count: the value at the frame's first pixel, and the units a pixel, for x and y each."""

    x_title: str = "x, px"
    y_title: str = "y, px"
    x0: float = 0.0
    y0: float = 0.0
    pitch_x: float = 1.0
    pitch_y: float = 1.0


@dataclass(frozen=True, slots=True)
class Caption:
    """The header line: ``lead`` and ``facts`` at the left, ``remarks`` in grey at the right."""

    lead: str
    facts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn onto a frame."""

    marks: tuple[Mark, ...]
    scale: Scale
    caption: Caption


def scene_of_inspection(inspection: Inspection, defects: Sequence[Defect]) -> Scene:
    """Show an inspected frame: axes in mm of strip, and the camera, coil and position in the header."""
    marks = tuple(
        _mark(defect.class_name, defect.class_id, defect.score, defect.box_px, defect.mask)
        for defect in defects
    )
    return Scene(marks, _scale_of(inspection), _caption_of(inspection, len(marks)))


def scene_of_detections(
    detections: Detections, class_names: Sequence[str], *, title: str, remarks: tuple[str, ...] = ()
) -> Scene:
    """Show an image of which the place on the strip is not known: axes in pixels, the title in the header."""
    masks = detections.masks or (None,) * len(detections.scores)
    marks = tuple(
        _mark(class_names[class_id], class_id, score, Box(*box), mask)
        for box, score, class_id, mask in zip(
            detections.boxes.tolist(),
            detections.scores.tolist(),
            detections.classes.tolist(),
            masks,
            strict=True,
        )
    )
    return Scene(marks, Scale(), Caption(title, (counted(len(marks), "defect"),), remarks))


def counted(number: int, noun: str) -> str:
    """``1 defect``, ``1,200 defects``, ``no defects``."""
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def _mark(name: str, class_id: int, score: float, box_px: Box, mask: Mask | None) -> Mark:
    return Mark(f"{name} {score:.2f}", colour_of_class(class_id), box_px, mask)


def _scale_of(inspection: Inspection) -> Scale:
    strip, width, height = inspection.strip_mm, inspection.width_px, inspection.height_px
    if strip is None or not width or not height:
        return Scale()
    return Scale(
        x_title="across the strip, mm",
        y_title="along the coil, mm",
        x0=strip.x0,
        y0=strip.y0,
        pitch_x=(strip.x1 - strip.x0) / width,
        pitch_y=(strip.y1 - strip.y0) / height,
    )


def _caption_of(inspection: Inspection, defects: int) -> Caption:
    frame, strip, model = inspection.frame, inspection.strip_mm, inspection.model
    facts = [
        f"coil {frame.coil}" if frame.coil else None,
        f"{frame.side} side" if frame.side else None,
        f"{strip.y0 / 1000:.3f} to {strip.y1 / 1000:.3f} m" if strip else None,
        counted(defects, "defect"),
    ]
    remarks = [
        f"frame {frame.sequence}" if frame.sequence is not None else None,
        f"{frame.captured_at:%Y-%m-%d %H:%M:%S %Z}",
        f"{model.name} {model.version}" if model else None,
    ]
    return Caption(
        f"{frame.line} / {frame.camera}",
        tuple(fact for fact in facts if fact),
        tuple(remark for remark in remarks if remark),
    )
