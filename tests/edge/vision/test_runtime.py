"""The choice of a runtime."""

import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from edge.errors import ModelError, SettingsError
from edge.vision import load_runtime


def test_importing_the_package_leaves_torch_alone() -> None:
    """--help must not wait seconds for torch, nor does the fake runtime need it."""
    code = (
        "import sys, edge.vision, edge.vision.fake, edge.vision.model_folder;"
        "edge.vision.fake.FakeRuntime(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_native_runtime_serves_a_folder(model_folder: Callable[..., Path]) -> None:
    """'native' reads the folder it is given."""
    runtime = load_runtime("native", model_folder(), device="cpu")
    assert (runtime.name, runtime.model_name, runtime.device) == ("native", "tiny", "cpu")


def test_an_unknown_runtime_is_named_with_what_is_allowed() -> None:
    """A misspelt runtime is a setting's error."""
    with pytest.raises(
        SettingsError, match="'nativ' is unknown; allowed: native, onnx, openvino, detectron2"
    ):
        load_runtime("nativ")


def test_without_detectron2_its_runtime_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The extra is named, before anything else is looked at."""
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(
        ModelError, match=r"not installed; install it with: pip install 'stripsight\[detectron2\]'"
    ):
        load_runtime("detectron2", tmp_path)


def test_a_detectron2_that_is_broken_says_why(
    monkeypatch: pytest.MonkeyPatch, model_folder: Callable[..., Path]
) -> None:
    """Installed, but built for another PyTorch, or without what it needs."""
    broken = ModuleType("detectron2")
    broken.__spec__ = ModuleSpec("detectron2", None)
    monkeypatch.setitem(sys.modules, "detectron2", broken)
    for name in [name for name in sys.modules if name.startswith("edge.vision.with_detectron2.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModelError, match=r"installed, but cannot be imported: .*'detectron2\."):
        load_runtime("detectron2", model_folder())
