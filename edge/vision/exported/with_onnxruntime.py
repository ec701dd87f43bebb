"""Graphs in ONNX Runtime, on the CPU or on what another of its execution providers knows."""

from collections.abc import Sequence

import onnxruntime

from edge.errors import ModelFileError, SettingsError
from edge.vision.exported.graph import Dimensions, Floats, Graph, ReadFile

CPU = "CPUExecutionProvider"
# By the kind of device in `model.device`; each but the first comes with a build of ONNX Runtime of its own.
PROVIDERS = {"cpu": CPU, "cuda": "CUDAExecutionProvider", "openvino": "OpenVINOExecutionProvider"}
_OUT_OF_MEMORY = ("Failed to allocate memory", "bad allocation", "bad_alloc", "out of memory")


class OnnxRuntimeEngine:
    """ONNX Runtime.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` ... or ``openvino``; ``auto`` for CUDA where it is installed.
        threads: of the CPU; None for ONNX Runtime's choice.

    Raises:
        SettingsError: the device is unknown, or this build of ONNX Runtime does not have it.
    """

    def __init__(self, device: str, threads: int | None) -> None:
        available = onnxruntime.get_available_providers()
        if device == "auto":
            device = "cuda" if PROVIDERS["cuda"] in available else "cpu"
        kind, _, number = device.partition(":")
        if kind not in PROVIDERS or (number and not (kind == "cuda" and number.isdecimal())):
            raise SettingsError(
                f"device: '{device}' is unknown to the runtime 'onnx'; allowed: auto, cpu, cuda, openvino"
            )
        self._provider = PROVIDERS[kind]
        if self._provider not in available:
            raise SettingsError(
                f"device: '{device}' needs {self._provider}, which the installed ONNX Runtime does not have; "
                f"it has {', '.join(available)}"
            )
        self.device = device
        # OpenVINO would choose: bfloat16 where the processor has units for it, and with that other answers.
        exact = {"device_type": "CPU", "precision": "FP32"} if kind == "openvino" else {}
        self._provider_options = exact | ({"device_id": number} if number else {})
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads or 0
        # As torch's in edge.vision.native: each graph has its pool, and who spins keeps the others waiting.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._options.log_severity_level = 4  # fatal: what is less comes as an exception

    def load(self, part: str, read: ReadFile) -> Graph:
        """Make one part ready to run.

        Raises:
            ModelFileError: ONNX Runtime refuses the file.
            SettingsError: the device does not work on this machine.
        """
        name = f"{part}.onnx"
        content = read(name)
        try:
            session = onnxruntime.InferenceSession(
                content, self._options, providers=[(self._provider, self._provider_options)]
            )
        except Exception as error:  # its exceptions have no base of their own
            raise ModelFileError(f"{name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
        if self._provider not in session.get_providers():
            raise SettingsError(f"device: '{self.device}' does not work: ONNX Runtime fell back to the CPU")
        return OnnxGraph(session)


class OnnxGraph(Graph):
    """A session of ONNX Runtime with one input."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        super().__init__({output.name: _dimensions(output.shape) for output in session.get_outputs()})
        self._session = session
        self._input = session.get_inputs()[0].name

    def run(self, x: Floats) -> Sequence[Floats]:
        """Map a non-empty batch to the outputs in their order.

        Raises:
            MemoryError: memory does not suffice.
            RuntimeError: ONNX Runtime failed for another reason.
        """
        try:
            outputs: Sequence[Floats] = self._session.run(None, {self._input: x})
        except Exception as error:  # as above
            kind = MemoryError if any(words in str(error) for words in _OUT_OF_MEMORY) else RuntimeError
            raise kind(_first_line(error)) from error
        return outputs


def _dimensions(shape: Sequence[int | str | None]) -> Dimensions:
    """Leave out the batch; what depends on the input is a name or an expression."""
    return tuple(size if isinstance(size, int) else None for size in shape[1:])


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
