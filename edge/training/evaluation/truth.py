"""What evaluation knows of a frame: its size and its defects, wherever the picture is."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.training.dataset import LabelledFrame
from edge.training.samples import Instance, Sample


@dataclass(frozen=True, slots=True)
class Truth:
    """One frame's size and everything that is on it; no instances: it is clean."""

    name: str
    height_px: int
    width_px: int
    instances: Sequence[Instance]

    @property
    def clean(self) -> bool:
        """Whether there is nothing to find."""
        return not self.instances


def truth_of(frame: Sample | LabelledFrame) -> Truth:
    """Leave the picture away."""
    if isinstance(frame, LabelledFrame):
        return Truth(frame.name, frame.height_px, frame.width_px, frame.instances)
    height, width = frame.image.shape
    return Truth(frame.name, height, width, frame.instances)


def truths_of(frames: Sequence[Sample | LabelledFrame]) -> list[Truth]:
    """Leave the pictures away."""
    return [truth_of(frame) for frame in frames]
