"""One annotated picture, and the ways to vary it that leave its annotation true. No torch."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.synthetic.chance import chance

# A defect that a crop has cut is kept when this much is left of it: else what remains cannot be told apart.
_KEPT_PART = 0.3
_KEPT_AREA_PX = 350
_THINNEST_PX = 5


@dataclass(frozen=True, slots=True)
class Instance:
    """One defect: class id from 0, and its mask in px of the picture it belongs to."""

    class_id: int
    mask: Mask

    @property
    def box_px(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 with exclusive ends; masks are cropped to their box."""
        return self.mask.x, self.mask.y, self.mask.x + self.mask.width, self.mask.y + self.mask.height


@dataclass(frozen=True, slots=True)
class Sample:
    """A (H, W) uint8 picture and every defect on it."""

    image: npt.NDArray[np.uint8]
    instances: tuple[Instance, ...]
    name: str = ""

    def mask_of_class(self, class_id: int) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the union of the class's masks."""
        union = np.zeros(self.image.shape, np.bool_)
        for instance in self.instances:
            if instance.class_id == class_id:
                x0, y0, x1, y1 = instance.box_px
                union[y0:y1, x0:x1] |= instance.mask.decode()
        return union


def tight_instance(class_id: int, crop: npt.NDArray[np.bool_], x: int, y: int) -> Instance | None:
    """Crop a (H, W) bool mask at (x, y) of the picture to its own box; None if it is empty."""
    rows, columns = np.flatnonzero(crop.any(axis=1)), np.flatnonzero(crop.any(axis=0))
    if not rows.size:
        return None
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Instance(class_id, Mask.encode(crop[y0:y1, x0:x1], x=x + x0, y=y + y0))


def crop_sample(sample: Sample, x: int, y: int, width: int, height: int) -> Sample:
    """Cut out a window; defects of which too little is left are dropped."""
    kept = (_crop_instance(instance, x, y, width, height) for instance in sample.instances)
    image = np.ascontiguousarray(sample.image[y : y + height, x : x + width])
    return replace(sample, image=image, instances=tuple(i for i in kept if i is not None))


def _crop_instance(instance: Instance, x: int, y: int, width: int, height: int) -> Instance | None:
    x0, y0, x1, y1 = instance.box_px
    left, top, right, bottom = max(x, x0), max(y, y0), min(x + width, x1), min(y + height, y1)
    if right - left < _THINNEST_PX or bottom - top < _THINNEST_PX:
        return None
    whole = instance.mask.decode()
    part = whole[top - y0 : bottom - y0, left - x0 : right - x0]
    area = int(part.sum())
    if area < min(_KEPT_PART * whole.sum(), _KEPT_AREA_PX):
        return None
    return tight_instance(instance.class_id, part, left - x, top - y)


def flip_sample(sample: Sample, *, across: bool, along: bool) -> Sample:
    """Mirror the picture across (left to right) and along (top to bottom) the strip."""
    if not across and not along:
        return sample
    sx, sy = -1 if across else 1, -1 if along else 1
    height, width = sample.image.shape
    instances = []
    for instance in sample.instances:
        x0, y0, x1, y1 = instance.box_px
        mask = instance.mask.decode()[::sy, ::sx]
        placed = Mask.encode(mask, x=width - x1 if across else x0, y=height - y1 if along else y0)
        instances.append(Instance(instance.class_id, placed))
    return replace(sample, image=np.ascontiguousarray(sample.image[::sy, ::sx]), instances=tuple(instances))


def relight(sample: Sample, gain: float, gamma: float) -> Sample:
    """Change exposure and tone; black stays black."""
    levels = np.arange(256) / 255.0
    table = np.clip(255.0 * gain * levels**gamma + 0.5, 0, 255).astype(np.uint8)
    return replace(sample, image=table[sample.image])


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """Flip both ways and relight; the rolling direction stays vertical."""
    flipped = flip_sample(sample, across=chance(0.5, rng), along=chance(0.5, rng))
    return relight(flipped, gain=float(rng.uniform(0.75, 1.3)), gamma=float(rng.uniform(0.85, 1.2)))
