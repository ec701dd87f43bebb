"""Run-length masks, cropped to their box: COCO's uncompressed RLE."""

from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from edge.errors import RecordError

Pixels = Annotated[int, msgspec.Meta(ge=0)]


class Mask(msgspec.Struct, frozen=True, kw_only=True):
    """A binary mask of ``height`` x ``width`` pixels whose first pixel lies at (``x``, ``y``) of the frame.

    ``counts`` are run lengths down the columns, alternating 0 and 1 and starting with 0, as in COCO's
    uncompressed RLE: ``{"size": [height, width], "counts": counts}`` is what pycocotools reads.
    """

    x: Pixels
    """Column of the frame that the mask begins at."""
    y: Pixels
    """Row of the frame that the mask begins at."""
    width: Pixels
    """Columns of the mask."""
    height: Pixels
    """Rows of the mask."""
    counts: list[Pixels]
    """Run lengths."""

    @property
    def area_px(self) -> int:
        """Number of pixels that are set."""
        return sum(self.counts[1::2])

    @classmethod
    def encode(cls, crop: npt.NDArray[np.bool_], *, x: int = 0, y: int = 0) -> "Mask":
        """Encode a (H, W) bool array whose first pixel lies at (x, y) of the frame."""
        height, width = crop.shape
        flat = crop.ravel(order="F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        edges = np.concatenate(([0], changes, [flat.size]))
        counts = np.diff(edges).tolist()
        if flat.size and flat[0]:
            counts.insert(0, 0)
        return cls(x=x, y=y, width=width, height=height, counts=counts)

    def decode(self) -> npt.NDArray[np.bool_]:
        """Return the (height, width) bool crop.

        Raises:
            RecordError: the runs do not add up to the mask's size.
        """
        if sum(self.counts) != self.width * self.height:
            raise RecordError(
                f"mask runs add up to {sum(self.counts)} pixels, not {self.width} x {self.height}"
            )
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, self.counts).reshape((self.height, self.width), order="F")
