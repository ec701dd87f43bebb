"""One exported part of a network, whatever runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]
Dimensions = tuple[int | None, ...]
"""Of one entry of a batch; None where it depends on the input."""


class Graph(ABC):
    """A function of one float32 tensor (N, ...) whose results (N, ...) have names.

    What it returns may be overwritten by its next call. Nothing in gives nothing out, without a run.
    """

    def __init__(self, outputs: Mapping[str, Dimensions]) -> None:
        self.outputs = dict(outputs)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Map float32 (N, ...) on the CPU to the outputs in their order."""
        if not len(x):
            return [x.new_zeros(0, *(size or 0 for size in shape)) for shape in self.outputs.values()]
        return [torch.from_numpy(output) for output in self.run(x.contiguous().numpy())]

    @abstractmethod
    def run(self, x: Floats) -> Sequence[Floats]:
        """Map a non-empty batch to the outputs in their order.

        Raises:
            MemoryError: memory does not suffice.
            RuntimeError: the library failed for another reason.
        """


class ReadFile(Protocol):
    """How an engine gets at the files of an export."""

    def __call__(self, name: str) -> bytes:
        """Return the content of the file ``name``."""


class Engine(Protocol):
    """A library that runs graphs; ``device`` is where, in words of the setting ``model.device``."""

    device: str

    def load(self, part: str, read: ReadFile) -> Graph:
        """Make one part ready to run.

        Raises:
            ModelFileError: the library refuses the file.
        """
