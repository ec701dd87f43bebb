"""Training's endless stream of examples: the n-th is a function of the seed and n, whoever asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from torch.utils.data import Dataset as TorchDataset

from edge.training.dataset import LabelledFrame
from edge.training.engine.augment import draw_stretch, vary_picture
from edge.training.engine.choices import Augmentation
from edge.training.engine.config import Input
from edge.training.engine.crops import crop_anywhere, crop_at_defects
from edge.training.engine.paste import paste_defects
from edge.training.engine.sampling import BalancedClasses, Order
from edge.training.engine.transforms import Example, crop_size, to_example, train_size
from edge.training.samples import Sample, flip_sample
from edge.training.samples import augment as flip_and_relight
from edge.training.synthetic.chance import chance

_DRAW_STREAM = 1_000_000
_MOST_PASTED = 4
_ONTO_CLEAN = 0.6

Rng = np.random.Generator


class Source(Protocol):
    """Where whole frames come from."""

    def draw(self, number: int, rng: Rng) -> Sample:
        """Return the frame of the stream's draw ``number``, whose own generator is ``rng``."""


class Frames:
    """The frames of a data set, in the given order."""

    def __init__(self, frames: Sequence[LabelledFrame], order: Order) -> None:
        self._frames = frames
        self._order = order

    def draw(self, number: int, rng: Rng) -> Sample:
        """Read a frame."""
        return self._frames[self._order.frame_at(number, rng)].read()


class PastedDefects:
    """Defects of two frames of a data set on a third one, classes drawn evenly."""

    def __init__(self, frames: Sequence[LabelledFrame]) -> None:
        self._frames = frames
        self._balanced = BalancedClasses([frame.class_ids for frame in frames])

    def draw(self, number: int, rng: Rng) -> Sample:
        """Read three frames and make one."""
        sources = [flip_and_relight(self._read(self._balanced.frame_at(number, rng)), rng) for _ in range(2)]
        onto_clean = chance(_ONTO_CLEAN, rng)
        target = self._balanced.clean_frame(rng) if onto_clean else self._balanced.frame_at(number, rng)
        return paste_defects(self._read(target), sources, int(rng.integers(1, _MOST_PASTED + 1)), rng)

    def _read(self, index: int) -> Sample:
        return self._frames[index].read()


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to a frame: crop, resize and flip by the config, and the augmentation beyond it."""

    config: Input
    augmentation: Augmentation = Augmentation.NONE
    at_defects: bool = False

    def __call__(self, sample: Sample, rng: Rng) -> Example:
        """Make a training picture of a frame."""
        stretch = draw_stretch(self.augmentation, rng)
        frame = sample.image.shape
        stretched = round(frame[0] * stretch.along), round(frame[1] * stretch.across)
        canvas = crop_size(self.config.crop, stretched, rng)
        window = (
            min(frame[0], max(1, round(canvas[0] / stretch.along))),
            min(frame[1], max(1, round(canvas[1] / stretch.across))),
        )
        cut = (crop_at_defects if self.at_defects else crop_anywhere)(sample, window, rng)
        flipped = self._flip(cut, rng)
        size = train_size(canvas, self.config, rng)
        return to_example(vary_picture(flipped, self.augmentation, rng), size)

    def _flip(self, sample: Sample, rng: Rng) -> Sample:
        """Mirror in the config's direction; the strong augmentation mirrors in the other one as well."""
        directions = {self.config.random_flip} - {"none"}
        if directions and self.augmentation == Augmentation.STRONG:
            directions = {"horizontal", "vertical"}
        return flip_sample(
            sample,
            across="horizontal" in directions and chance(0.5, rng),
            along="vertical" in directions and chance(0.5, rng),
        )


class TrainingStream(TorchDataset[Example]):
    """Draws from several sources by their shares.

    Args:
        sources: each with its share of the draws; shares need not add up to 1.
        prepare: what becomes of each frame.
        seed: of everything that is random.
    """

    def __init__(self, sources: Sequence[tuple[Source, float]], prepare: Preparation, *, seed: int) -> None:
        self._sources = [source for source, _ in sources]
        shares = np.array([share for _, share in sources], dtype=np.float64)
        self._shares = shares / shares.sum()
        self._prepare = prepare
        self._seed = seed

    def __getitem__(self, number: int) -> Example:
        """Draw example ``number``, counted from 0."""
        # OpenCV's own threads would fight with torch's, and a process for each core draws already.
        cv2.setNumThreads(1)
        rng = np.random.default_rng([_DRAW_STREAM, self._seed, number])
        source = self._sources[int(rng.choice(len(self._sources), p=self._shares))]
        return self._prepare(source.draw(number, rng), rng)
