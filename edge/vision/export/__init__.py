"""Making exported models: cut the network into graphs, convert, quantise, compare, and only then write."""

import importlib.util

from edge.errors import ModelError

TOOLS = {
    "onnx": {"onnx": "ONNX", "onnxscript": "ONNX Script", "onnxruntime": "ONNX Runtime"},
    "openvino": {"onnx": "ONNX", "onnxscript": "ONNX Script", "openvino": "OpenVINO", "nncf": "NNCF"},
}
"""What an export takes by format, which is the name of the extra: modules, and what they are called."""


def require_tools(export_format: str) -> None:
    """Refuse at once where a library is absent that the export takes.

    Raises:
        ModelError: says how to install it.
    """
    missing = [name for module, name in TOOLS[export_format].items() if not importlib.util.find_spec(module)]
    if missing:
        raise ModelError(
            f"an export for '{export_format}' needs {' and '.join(missing)}, not installed here; "
            f"install what is needed with: pip install 'stripsight[{export_format}]'"
        )
