"""An endless steel strip, drawn frame by frame, with the truth about every defect on it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.synthetic.chance import chance
from edge.training.synthetic.coil import make_coil
from edge.training.synthetic.defects import draw_outline, paint_defect
from edge.training.synthetic.distractors import draw_distractors
from edge.training.synthetic.fields import Image
from edge.training.synthetic.placement import Ground, Place, place_defects
from edge.training.synthetic.sizes import NATURAL_COMBINATIONS, Combination
from edge.training.synthetic.steel import add_noise, cut_off_strip, draw_steel

# 53 % of Severstal's training images show a defect.
NATURAL_DEFECT_RATE = 0.53
# Long enough to see edges and streaks drift, short enough to meet many coils in a minute of demo.
FRAMES_PER_COIL = 32
_NARROWEST_PX = 40  # less steel than this shows no defects
_FRAME_STREAM = 100


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """One defect: ``class_id`` from 0, its mask, and its box x0, y0, x1, y1 in px (end exclusive)."""

    class_id: int
    mask: Mask
    box_px: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SyntheticFrame:
    """A frame of the strip: (H, W) uint8, x across the strip, y along it; ``coil`` and ``row`` locate it."""

    image: npt.NDArray[np.uint8]
    defects: tuple[GroundTruth, ...]
    coil: int
    row_px: int  # of the frame's first row, from the coil's start


class SyntheticStrip:
    """A strip in which frame k is a pure function of the seed, k and the settings.

    Within a coil the strip's edge, the streaks, the light and the marks go on from frame to frame. A defect
    belongs to one frame: what reaches a frame's border is cut there, as annotators see it.
    """

    def __init__(
        self,
        seed: int,
        width_px: int = 1600,
        height_px: int = 256,
        defect_rate: float = NATURAL_DEFECT_RATE,
        *,
        frames_per_coil: int = FRAMES_PER_COIL,
        combinations: Mapping[Combination, float] | None = None,
    ) -> None:
        """Make a strip.

        Args:
            seed: same seed, same strip; at least 0.
            width_px: frame width, across the strip.
            height_px: frame height, along the strip; even.
            defect_rate: part of the frames that show defects, where enough steel is in view.
            frames_per_coil: frames after which the next coil begins.
            combinations: relative frequency of each set of classes; as in Severstal's data by default.
        """
        self._seed = seed
        self._width_px = width_px
        self._height_px = height_px
        self._defect_rate = defect_rate
        self._frames_per_coil = frames_per_coil
        self._combinations = dict(combinations or NATURAL_COMBINATIONS)

    def frame(self, index: int) -> SyntheticFrame:
        """Draw frame ``index``, counted from 0."""
        number, place_in_coil = divmod(index, self._frames_per_coil)
        coil = make_coil(self._seed, number, self._width_px, self._height_px)
        rng = coil.rng(_FRAME_STREAM, place_in_coil)
        steel = draw_steel(coil, place_in_coil, rng)
        x0, x1 = cut_off_strip(steel, coil, place_in_coil, rng)
        ground = Ground(x0, x1, self._height_px, coil.side)
        defects: tuple[GroundTruth, ...] = ()
        if ground.width_px > _NARROWEST_PX:
            draw_distractors(steel, x0, x1, rng)
            defects = self._draw_defects(steel, ground, rng)
        add_noise(steel, coil, rng)
        return SyntheticFrame(
            image=np.clip(steel + 0.5, 0, 255).astype(np.uint8),
            defects=defects,
            coil=number,
            row_px=place_in_coil * self._height_px,
        )

    def _draw_defects(
        self, steel: Image, ground: Ground, rng: np.random.Generator
    ) -> tuple[GroundTruth, ...]:
        if not chance(self._defect_rate, rng):
            return ()
        places = place_defects(self._combinations, ground, rng)
        return tuple(_draw_defect(steel, place, rng) for place in places)


def _draw_defect(steel: Image, place: Place, rng: np.random.Generator) -> GroundTruth:
    mask = draw_outline(place.class_id, place.y1 - place.y0, place.x1 - place.x0, rng)
    paint_defect(place.class_id, steel[place.y0 : place.y1, place.x0 : place.x1], mask, rng)
    return GroundTruth(
        class_id=place.class_id,
        mask=Mask.encode(mask, x=place.x0, y=place.y0),
        box_px=(place.x0, place.y0, place.x1, place.y1),
    )
