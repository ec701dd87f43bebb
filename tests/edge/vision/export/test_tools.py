"""What an export takes."""

import sys

import pytest

from edge.errors import ModelError
from edge.vision.export import require_tools


@pytest.mark.parametrize(
    ("export_format", "module", "name"),
    [("onnx", "onnxscript", "ONNX Script"), ("openvino", "nncf", "NNCF")],
)
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, export_format: str, module: str, name: str
) -> None:
    """Before torch is loaded."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError, match=rf"needs {name}, not installed .* 'stripsight\[{export_format}\]'"):
        require_tools(export_format)


@pytest.mark.parametrize("export_format", ["onnx", "openvino"])
def test_with_the_extra_all_is_there(export_format: str) -> None:
    """The extra of a format's name brings what its export takes."""
    require_tools(export_format)
