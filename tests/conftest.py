"""What every test may ask for."""

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def skip_or_fail(reason: str) -> None:
    """Skip, unless this machine has promised (STRIPSIGHT_TEST_NO_SKIP) that everything can run on it."""
    if os.environ.get("STRIPSIGHT_TEST_NO_SKIP"):
        pytest.fail(f"must not be skipped here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real frames and Detectron2's reference outputs, which are never part of the repository."""
    if not SHARED_DATA.is_dir():
        skip_or_fail(f"real frames are absent: {SHARED_DATA}")
    return SHARED_DATA
