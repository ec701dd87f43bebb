"""Whether the files of a model have changed."""

import os
from pathlib import Path

import pytest

from edge.vision.fingerprint import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder, its files of long ago."""
    for name in ("config.yaml", "model.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (0, 0))
    return tmp_path


def _longer(file: Path) -> None:
    file.write_text(file.read_text() + "and more")
    os.utime(file, (0, 0))


def _replaced(file: Path) -> None:
    twin = file.with_name("twin")
    twin.write_bytes(file.read_bytes())
    os.utime(twin, (0, 0))
    twin.replace(file)


@pytest.mark.parametrize("change", [Path.touch, _longer, _replaced, Path.unlink])
@pytest.mark.parametrize("name", ["config.yaml", "model.json", "model.safetensors"])
def test_a_change_of_any_of_its_files_shows(folder: Path, name: str, change: object) -> None:
    """By its time, its size, or that it is another file of the same time and size."""
    before = fingerprint(folder)
    assert before == fingerprint(folder)
    change(folder / name)  # type: ignore[operator] # all of them take a path
    assert fingerprint(folder) != before


def test_a_note_beside_the_model_is_no_change(folder: Path) -> None:
    """Only what is loaded counts."""
    before = fingerprint(folder)
    (folder / "README.md").touch()
    assert fingerprint(folder) == before


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    """While it is being replaced, as by a link that is removed first."""
    assert fingerprint(tmp_path / "nothing") == ()
    (tmp_path / "model.pth").symlink_to("nowhere")
    assert fingerprint(tmp_path) == ()
