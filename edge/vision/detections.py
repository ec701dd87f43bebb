"""What a runtime finds on one frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask


@dataclass(frozen=True, slots=True)
class Detections:
    """The detections of one frame, best first.

    ``boxes``: (N, 4) float32, x0 y0 x1 y1 in px of the original picture; ``scores``: (N,) float32,
    descending; ``classes``: (N,) int64, contiguous from 0; ``masks``: N, or None when the model has no masks.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    masks: tuple[Mask, ...] | None

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)
