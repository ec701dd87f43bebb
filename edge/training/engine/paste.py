"""Real defects on other real steel: cut out with a margin, matched in brightness, blended in."""

from collections.abc import Sequence

import cv2
import numpy as np

from edge.contracts.mask import Mask
from edge.training.samples import Instance, Sample

_MARGIN_PX = 14
_TRIES = 8
_BLACK = 12  # grey level below which a pixel lies beside the strip
_BLACK_PART = 0.02


def paste_defects(target: Sample, sources: Sequence[Sample], count: int, rng: np.random.Generator) -> Sample:
    """Copy up to ``count`` random defects of the sources onto free steel of the target."""
    image = target.image.copy()
    instances = list(target.instances)
    for _ in range(count):
        source = sources[int(rng.integers(len(sources)))]
        if not source.instances:
            continue
        chosen = source.instances[int(rng.integers(len(source.instances)))]
        pasted = _paste(image, source, chosen, instances, rng)
        if pasted is not None:
            instances.append(pasted)
    return Sample(image, tuple(instances), name=f"{target.name}+")


def _paste(
    image: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    source: Sample,
    instance: Instance,
    taken: Sequence[Instance],
    rng: np.random.Generator,
) -> Instance | None:
    height, width = image.shape
    x0, y0, x1, y1 = instance.box_px
    for _ in range(_TRIES):
        # A defect that its frame cuts off at the top or bottom stays at that border.
        cut = y0 == 0 or y1 == source.image.shape[0]
        y = y0 if cut else int(rng.integers(0, height - (y1 - y0) + 1))
        x = int(rng.integers(0, width - (x1 - x0) + 1))
        moved = Instance(instance.class_id, _moved(instance.mask, x, y))
        if any(_near(moved, other) for other in taken):
            continue
        if _blend(image, source, instance, x - x0, y - y0):
            return moved
    return None


def _blend(
    image: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    source: Sample,
    instance: Instance,
    dx: int,
    dy: int,
) -> bool:
    """Blend the defect's surroundings into the target, shifted by (dx, dy); False where that would show."""
    height, width = image.shape
    x0, y0, x1, y1 = instance.box_px
    left, top = max(x0 - _MARGIN_PX, 0, -dx), max(y0 - _MARGIN_PX, 0, -dy)
    right = min(x1 + _MARGIN_PX, source.image.shape[1], width - dx)
    bottom = min(y1 + _MARGIN_PX, source.image.shape[0], height - dy)
    cut = source.image[top:bottom, left:right].astype(np.float32)
    ground = image[top + dy : bottom + dy, left + dx : right + dx]
    if max((cut < _BLACK).mean(), (ground < _BLACK).mean()) > _BLACK_PART:
        return False
    mask = np.zeros(cut.shape, np.uint8)
    mask[y0 - top : y1 - top, x0 - left : x1 - left] = instance.mask.decode()
    opacity = _soft(mask)
    around = mask == 0
    if not around.any():
        return False
    gain = float(ground[around].mean() / max(1.0, cut[around].mean()))
    blended = opacity * np.clip(cut * gain, 0, 255) + (1.0 - opacity) * ground
    ground[:] = np.clip(blended + 0.5, 0, 255).astype(np.uint8)
    return True


def _soft(
    mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """1 within the mask, falling to 0 over the margin around it."""
    distance = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    return np.asarray(np.clip(1.0 - distance / np.float32(_MARGIN_PX - 3), 0.0, 1.0), dtype=np.float32)


def _moved(mask: Mask, x: int, y: int) -> Mask:
    return Mask(x=x, y=y, width=mask.width, height=mask.height, counts=mask.counts)


def _near(first: Instance, second: Instance) -> bool:
    ax0, ay0, ax1, ay1 = first.box_px
    bx0, by0, bx1, by1 = second.box_px
    gap = _MARGIN_PX
    return ax0 < bx1 + gap and bx0 < ax1 + gap and ay0 < by1 + gap and by0 < ay1 + gap
