"""What the pipeline asks of a model, and the choice between the runtimes that answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import InferenceError, ModelError, SettingsError
from edge.vision.detections import Detections
from edge.vision.device import DeviceUse
from edge.vision.exported import RUNTIMES as EXPORTED
from edge.vision.exported import require_library
from edge.vision.model_folder import read_model_folder

Image = npt.NDArray[np.uint8]

BUNDLED_MODEL = Path(__file__).parent / "bundled"
RUNTIMES = ("native", "onnx", "openvino", "detectron2")
GREY_DIMENSIONS = 2
COLOUR_DIMENSIONS = 3


class Runtime(Protocol):
    """A model that is ready to look at frames."""

    name: str
    device: str
    precision: str
    model_name: str
    model_version: str
    class_names: tuple[str, ...]

    def warmup(self) -> None:
        """Run once, so that the first frame does not wait for what is set up lazily."""

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Detect on (H, W) grey or (H, W, 3) BGR images of any mix of shapes; one entry out for each in.

        Raises:
            InferenceError: an image is not of such a shape.
            ModelMemoryError: memory does not suffice; what the call had taken is free again.
        """

    def device_use(self) -> DeviceUse | None:
        """Tell how much of the GPU is in use, within milliseconds; None where the model runs on none."""

    def close(self) -> None:
        """Give the model's memory back; nothing is asked of it afterwards."""


def load_runtime(
    name: str,
    model: Path = BUNDLED_MODEL,
    *,
    device: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    score_threshold: float | None = None,
    imports: Sequence[str] = (),
) -> Runtime:
    """Load a model folder into one of the runtimes.

    Args:
        name: ``native``, ``onnx``, ``openvino`` or ``detectron2``.
        model: folder with Detectron2's ``config.yaml`` and weights; for ``onnx`` and ``openvino`` one that
            ``stripsight export`` has written.
        device: torch's name of a device, or ``auto`` for CUDA where there is one; ``onnx`` and ``openvino``
            have names of their own (see their engines).
        precision: of backbone and heads: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for what this
            processor is quickest with; an export has its own. The runtime's ``precision`` says what it is.
        threads: CPU threads of torch in this process; None for torch's choice.
        score_threshold: stands in for the model's own thresholds of all classes.
        imports: what ``detectron2`` is to know besides Detectron2: modules to import, whose code is executed,
            or ``module:function`` to call the function with the config.

    Raises:
        SettingsError: unknown name, device or precision, or an import that fails.
        ModelError: the model folder cannot be served, or the runtime's library is not installed.
    """
    if name == "native":
        read_model_folder(model)  # names a wrong folder at once: torch takes seconds to import
        from edge.vision.native.runtime import NativeRuntime  # noqa: PLC0415

        return NativeRuntime(
            model, device=device, precision=precision, threads=threads, score_threshold=score_threshold
        )
    if name in EXPORTED:
        require_library(name)
        read_model_folder(model)
        from edge.vision.exported.runtime import ExportedRuntime  # noqa: PLC0415

        return ExportedRuntime(
            model,
            name=name,
            device=device,
            precision=precision,
            threads=threads,
            score_threshold=score_threshold,
        )
    if name == "detectron2":
        from edge.vision.with_detectron2 import require_detectron2  # noqa: PLC0415

        require_detectron2()
        read_model_folder(model)
        try:
            from edge.vision.with_detectron2.runtime import Detectron2Runtime  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ModelError(
                f"runtime: 'detectron2' is installed, but cannot be imported: {error}"
            ) from error

        return Detectron2Runtime(
            model,
            device=device,
            precision=precision,
            threads=threads,
            score_threshold=score_threshold,
            imports=imports,
        )
    raise SettingsError(f"runtime: '{name}' is unknown; allowed: {', '.join(RUNTIMES)}")


def require_image(image: Image) -> None:
    """Refuse what no runtime can look at.

    Raises:
        InferenceError: the array is not uint8, empty, or neither (H, W) nor (H, W, 3).
    """
    grey = image.ndim == GREY_DIMENSIONS
    colour = image.ndim == COLOUR_DIMENSIONS and image.shape[2] == COLOUR_DIMENSIONS
    if image.dtype != np.uint8 or not image.size or not (grey or colour):
        raise InferenceError(
            f"an image of shape {image.shape} and type {image.dtype} "
            "is neither (H, W) grey nor (H, W, 3) BGR uint8"
        )
