"""The choice of a runtime."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.vision import load_runtime


def test_importing_the_package_leaves_torch_alone() -> None:
    """--help must not wait seconds for torch, nor does the fake runtime need it."""
    code = (
        "import sys, edge.vision, edge.vision.fake, edge.vision.model_folder;"
        "edge.vision.load_runtime('fake'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_fake_runtime_needs_no_model() -> None:
    """'fake' is served without a folder."""
    assert load_runtime("fake").name == "fake"


def test_the_native_runtime_serves_a_folder(model_folder: Callable[..., Path]) -> None:
    """'native' reads the folder it is given."""
    runtime = load_runtime("native", model_folder(), device="cpu")
    assert (runtime.name, runtime.model_name, runtime.device) == ("native", "tiny", "cpu")


def test_an_unknown_runtime_is_named_with_what_is_allowed() -> None:
    """A misspelt runtime is a setting's error."""
    with pytest.raises(SettingsError, match="'nativ' is unknown; allowed: native, fake"):
        load_runtime("nativ")
