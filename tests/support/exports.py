"""Exports of the bundled model for tests, each made once: torch takes its time to write a graph."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from torch import Tensor

from edge.training.synthetic import SyntheticStrip
from edge.vision.export import write
from edge.vision.export.parts import Part
from edge.vision.export.to_onnx import to_onnx
from edge.vision.export.write import Request, export
from edge.vision.runtime import BUNDLED_MODEL

FRAMES = 3


def drawn_frames() -> list[npt.NDArray[np.uint8]]:
    """Drawn strip on which the bundled model finds something."""
    strip = SyntheticStrip(3, width_px=800, defect_rate=1.0)
    return [strip.frame(number).image for number in range(FRAMES)]


@contextmanager
def kept_graphs() -> Iterator[None]:
    """While it is open, a part with the same weights is turned into ONNX only once."""
    kept: dict[tuple[str, str], onnx.ModelProto] = {}

    def once(part: Part, sample: Tensor, size_divisibility: int) -> onnx.ModelProto:
        weights = hashlib.sha256()
        for value in part.module.state_dict().values():
            weights.update(value.contiguous().numpy().tobytes())
        key = (part.name, weights.hexdigest())
        if key not in kept:
            kept[key] = to_onnx(part, sample, size_divisibility)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "to_onnx", once)
        yield


class Exports:
    """Folders of the bundled model by format and precision."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __call__(self, export_format: Any, precision: Any) -> Path:
        """Return a folder that nobody may change."""
        folder = self._place / f"{export_format}-{precision}"
        if not folder.exists():
            frames = drawn_frames()
            calibration = frames if precision == "int8" else ()
            export(BUNDLED_MODEL, folder, Request(export_format, precision, frames, "tests", calibration))
        return folder
