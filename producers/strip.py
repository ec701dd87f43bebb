"""A strip that runs under a camera: which part of which coil each image shows."""

import math
import re
from dataclasses import dataclass
from datetime import datetime

from edge.contracts.frame import LARGEST_PITCH_MM, LARGEST_POSITION_MM, FrameMetadata, Side
from edge.errors import SettingsError
from producers.source import CameraImage

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")

# 0.2 mm a pixel: 1600 pixels then show 320 mm, about what four cameras side by side leave each of a strip.
DEFAULT_PITCH_MM = 0.2
DEFAULT_COIL = "C0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripPlan:
    """What a camera knows about the strip it looks at.

    ``coil`` is the first coil's id; each further coil counts its last number up. A coil ends after
    ``coil_length_mm`` millimetres or ``coil_frames`` frames, whichever comes first; without either it is
    endless. ``offset_mm`` is the first column's distance from the operator-side edge.

    Raises:
        SettingsError: a value that no frame may carry, or a coil that cannot be counted on from.
    """

    line: str
    camera: str
    side: Side = "top"
    pitch_x_mm: float = DEFAULT_PITCH_MM
    pitch_y_mm: float = DEFAULT_PITCH_MM
    offset_mm: float = 0.0
    coil: str = DEFAULT_COIL
    coil_length_mm: float | None = None
    coil_frames: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no strip can be."""
        for name in ("pitch_x_mm", "pitch_y_mm"):
            _require(name, getattr(self, name), above=0, most=LARGEST_PITCH_MM)
        for name in ("coil_length_mm", "coil_frames"):
            _require(name, getattr(self, name), above=0, most=LARGEST_POSITION_MM)
        _require("offset_mm", self.offset_mm, above=-LARGEST_POSITION_MM, most=LARGEST_POSITION_MM)
        for name in ("line", "camera", "coil"):
            if not getattr(self, name):
                raise SettingsError(f"{name}: must not be empty")
        if (self.coil_length_mm or self.coil_frames) and not _LAST_NUMBER.search(self.coil):
            raise SettingsError(f"coil: {self.coil!r} has no number to count the next coils from")


class MovingStrip:
    """Tells for one image after the other where on the strip it lies; the images touch without a gap."""

    def __init__(self, plan: StripPlan) -> None:
        self.plan = plan
        self._sequence = 0
        self._coil = plan.coil
        # Rows are counted, and multiplied by the pitch once: adding up millimetres would drift.
        self._coil_rows = 0
        self._coil_frames = 0
        self._rows = 0

    @property
    def travelled_mm(self) -> float:
        """Millimetres of strip that have passed since the start, over all coils."""
        return self._rows * self.plan.pitch_y_mm

    def length_of(self, image: CameraImage) -> float:
        """Millimetres of strip that an image shows, along the coil."""
        return image.height_px * self.plan.pitch_y_mm

    def advance(self, image: CameraImage, captured_at: datetime) -> FrameMetadata:
        """Return the metadata of the next image, and move the strip on by its height."""
        if self._coil_is_over():
            self._begin_coil(next_coil(self._coil))
        metadata = self._describe(image, captured_at)
        self._sequence += 1
        self._coil_frames += 1
        self._coil_rows += image.height_px
        self._rows += image.height_px
        return metadata

    def _describe(self, image: CameraImage, captured_at: datetime) -> FrameMetadata:
        plan = self.plan
        return FrameMetadata(
            line=plan.line,
            camera=plan.camera,
            side=plan.side,
            coil=self._coil,
            sequence=self._sequence,
            position_mm=self._coil_rows * plan.pitch_y_mm,
            offset_mm=plan.offset_mm,
            pitch_x_mm=plan.pitch_x_mm,
            pitch_y_mm=plan.pitch_y_mm,
            captured_at=captured_at,
            content_type=image.content_type,
        )

    def _coil_is_over(self) -> bool:
        plan = self.plan
        if plan.coil_frames is not None and self._coil_frames >= plan.coil_frames:
            return True
        length_mm = plan.coil_length_mm
        return length_mm is not None and self._coil_rows * plan.pitch_y_mm >= length_mm

    def _begin_coil(self, coil: str) -> None:
        self._coil = coil
        self._coil_rows = 0
        self._coil_frames = 0


def _require(name: str, value: float | None, *, above: float, most: float) -> None:
    if value is not None and not above < value <= most:
        raise SettingsError(f"{name}: {value} is not greater than {above:g} and at most {most:g}")


def frames_of_a_coil(plan: StripPlan, height_px: int) -> int | None:
    """Return after how many frames of one height a coil ends; None for an endless one."""
    limits = [] if plan.coil_frames is None else [plan.coil_frames]
    if plan.coil_length_mm is not None:
        limits.append(max(math.ceil(plan.coil_length_mm / (height_px * plan.pitch_y_mm)), 1))
    return min(limits, default=None)


def next_coil(coil: str) -> str:
    """Count the last number of a coil id up, its leading zeros kept: ``C0099-B`` gives ``C0100-B``."""
    return _LAST_NUMBER.sub(lambda found: f"{int(found[0]) + 1:0{len(found[0])}d}", coil)
