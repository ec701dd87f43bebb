"""What every labelled set of frames looks like to training, evaluation and the report, whatever its files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self, overload

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import CorruptImageError
from edge.training.samples import Instance, Sample


class DeferredInstances(Sequence[Instance]):
    """Instances that are worked out when somebody looks, so that a large set opens at once."""

    def __init__(self, decode: Callable[[], tuple[Instance, ...]]) -> None:
        self._decode = decode

    @cached_property
    def _instances(self) -> tuple[Instance, ...]:
        return self._decode()

    @overload
    def __getitem__(self, index: int) -> Instance: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Instance, ...]: ...
    def __getitem__(self, index: int | slice) -> Instance | tuple[Instance, ...]:
        return self._instances[index]

    def __len__(self) -> int:
        return len(self._instances)


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A frame's file and everything that is known to be on it; no instances: it is clean."""

    path: Path
    height_px: int
    width_px: int
    instances: Sequence[Instance] = ()

    @property
    def name(self) -> str:
        """The file's name, by which Kaggle's and COCO's annotations know the frame."""
        return self.path.name

    @property
    def class_ids(self) -> frozenset[int]:
        """The classes that are on the frame."""
        return frozenset(instance.class_id for instance in self.instances)

    def read(self) -> Sample:
        """Read the picture as (H, W) uint8 grey, with its instances.

        Raises:
            CorruptImageError: the file is missing, or no picture, or of another size than its labels.
        """
        return Sample(self.read_picture(), tuple(self.instances), name=self.name)

    def read_picture(self) -> npt.NDArray[np.uint8]:
        """Read the picture alone, as (H, W) uint8 grey.

        Raises:
            CorruptImageError: the file is missing, or no picture, or of another size than its labels.
        """
        # Labels are for the pixels as they lie in the file, whichever way up a viewer turns them.
        image = cv2.imread(str(self.path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise CorruptImageError(f"{self.path}: cannot be read as a picture")
        if image.shape != (self.height_px, self.width_px):
            raise CorruptImageError(
                f"{self.path}: is {image.shape[1]}x{image.shape[0]} px; "
                f"its labels are for {self.width_px}x{self.height_px} px"
            )
        return np.asarray(image, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled frames with one list of classes; instances' class ids index ``class_names``.

    Without masks (``has_masks`` false) an instance's mask fills its box.
    """

    name: str
    class_names: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    has_masks: bool = True

    def only(self, frames: Sequence[LabelledFrame]) -> Self:
        """The same set with fewer frames."""
        return replace(self, frames=tuple(frames))
