"""From modules to ONNX, by torch's exporter on torch.export."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor

from edge.errors import UnsupportedModelError
from edge.vision.export.parts import Part
from edge.vision.exported.layout import INPUT, TRUNK

# What torch's exporter writes natively: it would convert to another version, which has given wrong answers.
OPSET = 18


def to_onnx(part: Part, sample: Tensor, size_divisibility: int) -> onnx.ModelProto:
    """Return a part as a checked ONNX model, for batches of any length and, the trunk, images of any size.

    Args:
        part: what to export.
        sample: an input of it.
        size_divisibility: what the sides of the trunk's images are multiples of.

    Raises:
        UnsupportedModelError: torch cannot export the part.
    """
    batch = torch.export.Dim("batch")
    shapes: dict[int, object] = {0: batch}
    if part.name == TRUNK:
        shapes |= {axis: size_divisibility * torch.export.Dim(name) for axis, name in ((1, "h"), (2, "w"))}
    with _quietly():
        try:
            program = torch.onnx.export(
                part.module,
                (_at_least_two(sample),),
                dynamo=True,
                dynamic_shapes=(shapes,),
                input_names=[INPUT],
                output_names=list(part.outputs),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise UnsupportedModelError(f"{part.name}: cannot be exported to ONNX: {reason}") from error
    assert program is not None  # noqa: S101 - it is None only when told to write a file by its older form
    model = program.model_proto
    onnx.checker.check_model(model)
    (opset,) = (entry.version for entry in model.opset_import if not entry.domain)
    if opset != OPSET:
        raise UnsupportedModelError(f"{part.name}: was exported with opset {opset}, not {OPSET}")
    return model


def _at_least_two(sample: Tensor) -> Tensor:
    """Repeat a batch of one: torch.export takes a length of 1 for a constant."""
    return sample if len(sample) > 1 else torch.cat((sample, sample))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep torch's advice about its own insides from the terminal; what fails is raised."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            log.setLevel(level)
