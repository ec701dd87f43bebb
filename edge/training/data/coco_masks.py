"""COCO's ways to write a mask, as instances: polygons, run lengths (plain or compressed), a mere box."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.errors import DatasetError
from edge.training.samples import Instance, tight_instance


class RunLengths(msgspec.Struct, frozen=True):
    """``size`` is height, width; ``counts`` alternate 0 and 1 down the columns, as a list or compressed."""

    size: tuple[int, int]
    counts: list[int] | str


Segmentation = list[list[float]] | RunLengths
_FEWEST_NUMBERS = 6  # of a polygon: three corners
_FARTHEST = 3  # times the picture's longer side; what lies farther away is no place on this picture
_MOST_BITS = 60  # of a run's length


def instance_of(
    class_id: int,
    box: tuple[float, float, float, float],
    segmentation: Segmentation | None,
    size: tuple[int, int],
) -> Instance:
    """The defect of an annotation on a picture of ``size`` (height, width), cut at the picture's edge.

    Raises:
        DatasetError: nothing of it is on the picture, or its mask cannot be decoded.
    """
    if not segmentation:
        return _box_instance(class_id, box, size)
    instance = tight_instance(class_id, decode_segmentation(segmentation, size), 0, 0)
    if instance is None:
        raise DatasetError("the mask has no pixel on the picture")
    return instance


def _box_instance(class_id: int, box: tuple[float, float, float, float], size: tuple[int, int]) -> Instance:
    """A mask that fills the box, whose edges go to the nearest pixel's."""
    x, y, width, height = box
    x0, x1 = (round(min(max(edge, 0), size[1])) for edge in (x, x + width))
    y0, y1 = (round(min(max(edge, 0), size[0])) for edge in (y, y + height))
    if x0 == x1 or y0 == y1:
        raise DatasetError(f"the box {list(box)} has no pixel on the picture")
    area = (x1 - x0) * (y1 - y0)
    return Instance(class_id, Mask(x=x0, y=y0, width=x1 - x0, height=y1 - y0, counts=[0, area]))


def decode_segmentation(segmentation: Segmentation, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Decode to (H, W) bool.

    Raises:
        DatasetError: it is for another size, or broken.
    """
    height, width = size
    if isinstance(segmentation, list):
        segmentation = _filled(segmentation, size)
    if segmentation.size != size:
        raise DatasetError(
            f"the mask is for {segmentation.size[1]}x{segmentation.size[0]} px, the picture {width}x{height}"
        )
    counts = segmentation.counts
    if isinstance(counts, str):
        counts = _decompressed(counts)
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise DatasetError(f"run lengths add up to {sum(counts)} pixels, not {width} x {height}")
    return Mask(x=0, y=0, width=width, height=height, counts=counts).decode()


def _filled(polygons: list[list[float]], size: tuple[int, int]) -> RunLengths:
    """The union of polygons, x0 y0 x1 y1 ... each, with the pixels that COCO's own tools fill."""
    from pycocotools import mask as coco  # noqa: PLC0415 - an extra; sets of boxes do without it

    if any(len(polygon) < _FEWEST_NUMBERS or len(polygon) % 2 for polygon in polygons):
        raise DatasetError("a polygon has three corners or more, with x and y each")
    farthest = max(size) * _FARTHEST
    if any(abs(place) > farthest for polygon in polygons for place in polygon):
        # pycocotools takes memory by the length of an outline, and crashes at some 400 million pixels.
        raise DatasetError(f"a corner of a polygon is more than {farthest} px away")
    union: Any = coco.merge(coco.frPyObjects(polygons, *size))
    return RunLengths(size, union["counts"].decode())


def _decompressed(text: str) -> list[int]:
    """Undo COCO's compression of run lengths (``rleFrString`` of its ``maskApi.c``).

    Six bits a character above '0': five of the number, low ones first, and one that says that more follow.
    From the fourth run on, the numbers are differences to the last run but one. pycocotools itself reads
    beyond the end of a broken text.
    """
    counts: list[int] = []
    value = shift = 0
    for code in text.encode():
        bits = code - 48
        if not 0 <= bits < 64:  # noqa: PLR2004 - six bits
            raise DatasetError(f"compressed run lengths hold {chr(code)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if shift > _MOST_BITS:
            raise DatasetError("compressed run lengths hold a number beyond all pictures")
        if bits & 32:
            continue
        if bits & 16:  # the sign
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)  # noqa: PLR2004 - see above
        value = shift = 0
    if shift:
        raise DatasetError("compressed run lengths end within a number")
    return counts
