"""Graphs in OpenVINO."""

from collections.abc import Sequence

import numpy as np

from edge.errors import ModelFileError, SettingsError
from edge.vision.exported.graph import Dimensions, Floats, Graph, ReadFile
from edge.vision.exported.layout import BOX_PREDICTOR
from edge.vision.exported.quiet_openvino import openvino
from edge.vision.exported.record import Precision

# The processor otherwise chooses: bfloat16 where it has units for it, and with that other answers.
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class OpenVinoEngine:
    """OpenVINO.

    Args:
        device: OpenVINO's name of a device, in any case: ``cpu``, ``gpu``, ``gpu.1``, ``npu``; ``auto`` is
            ``cpu``.
        threads: of the CPU; None for OpenVINO's choice.
        precision: in which what is not quantised runs; class scores and box deltas are float32 always.

    Raises:
        SettingsError: OpenVINO does not know the device on this machine.
    """

    def __init__(self, device: str, threads: int | None, precision: Precision) -> None:
        self._core = openvino.Core()
        self.device = "cpu" if device == "auto" else device.lower()
        available = self._core.available_devices
        if self.device.upper() not in available:
            raise SettingsError(
                f"device: '{device}' is unknown to OpenVINO on this machine; it has {', '.join(available)}"
            )
        self._precision = precision
        self._threads = threads

    def load(self, part: str, read: ReadFile) -> Graph:
        """Make one part ready to run.

        Raises:
            ModelFileError: OpenVINO refuses the file.
        """
        name = f"{part}.xml"
        # From memory: it would map the files, and who writes over one then ends the process (SIGBUS).
        topology = read(name)
        weights = np.frombuffer(read(f"{part}.bin"), np.uint8)
        try:
            model = self._core.read_model(topology, openvino.Tensor(weights))
            compiled = self._core.compile_model(model, self.device.upper(), self._properties(part))
        except RuntimeError as error:
            raise ModelFileError(f"{name}: OpenVINO cannot load it: {_reason(error)}") from error
        return OpenVinoGraph(compiled)

    def _properties(self, part: str) -> dict[str, str | int]:
        hint = "f32" if part.startswith(BOX_PREDICTOR) else _HINTS[self._precision]
        properties: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": hint}
        if self._threads is not None and self.device == "cpu":
            properties["INFERENCE_NUM_THREADS"] = self._threads
        return properties


class OpenVinoGraph(Graph):
    """A compiled model of OpenVINO with one input."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        super().__init__({output.any_name: _dimensions(output) for output in compiled.outputs})
        self._compiled = compiled

    def run(self, x: Floats) -> Sequence[Floats]:
        """Map a non-empty batch to the outputs in their order, whose memory the next run takes.

        Raises:
            MemoryError: memory does not suffice.
            RuntimeError: OpenVINO failed for another reason.
        """
        try:
            outputs = self._compiled(x, share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            if "bad_alloc" in str(error) or "allocate" in str(error):
                raise MemoryError(_reason(error)) from error
            raise
        return [outputs[output] for output in self._compiled.outputs]


def _dimensions(output: openvino.ConstOutput) -> Dimensions:
    sizes = list(output.partial_shape)[1:]
    return tuple(size.get_length() if size.is_static else None for size in sizes)


def _reason(error: RuntimeError) -> str:
    """Return the last line; those before it tell where in OpenVINO's sources."""
    return str(error).strip().rsplit("\n", 1)[-1]
