"""Exported models: their convolutions run in ONNX Runtime or OpenVINO, all else as in the native runtime.

A folder that ``stripsight export`` wrote holds one graph for each part of the network that is nothing but
convolutions and matrix products. Anchors, proposals, ROIAlign, NMS and boxes stay in torch and in float32.
"""

import importlib.util

from edge.errors import ModelError

RUNTIMES = {"onnx": ("ONNX Runtime", "onnxruntime"), "openvino": ("OpenVINO", "openvino")}
"""By the name of the runtime, which is that of the extra: its library, and the module that it comes as."""


def require_library(runtime: str) -> None:
    """Refuse at once where a runtime's library is absent; it is not imported to find out.

    Raises:
        ModelError: says how to install it.
    """
    library, module = RUNTIMES[runtime]
    if importlib.util.find_spec(module) is None:
        raise ModelError(
            f"runtime: '{runtime}' needs {library}, which is not installed; "
            f"install it with: pip install 'stripsight[{runtime}]'"
        )
