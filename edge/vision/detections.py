"""What a runtime finds on one frame."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.contracts.results import Screening


@dataclass(frozen=True, slots=True)
class Detections:
    """The detections of one frame, best first.

    ``boxes``: (N, 4) float32, x0 y0 x1 y1 in px of the original picture; ``scores``: (N,) float32,
    descending; ``classes``: (N,) int64, contiguous from 0; ``masks``: N, or None when the model has no masks.
    ``screening``: what a screen found before; None where there is none.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    masks: tuple[Mask, ...] | None
    screening: Screening | None = None

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)

    def moved(self, x: int, y: int) -> "Detections":
        """Return them in px of a picture in which theirs begins at column ``x`` and row ``y``."""
        if not x and not y:
            return self
        boxes = self.boxes + np.array([x, y, x, y], self.boxes.dtype)
        masks = self.masks and tuple(
            msgspec.structs.replace(mask, x=mask.x + x, y=mask.y + y) for mask in self.masks
        )
        return replace(self, boxes=boxes, masks=masks)
