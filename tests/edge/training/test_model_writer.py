"""Writing model folders."""

from pathlib import Path

from edge.training.model_writer import copy_config


def test_a_config_is_copied_and_left_alone_where_it_is_its_own_copy(tmp_path: Path) -> None:
    """A run that goes on by the config of its own folder keeps it."""
    source, own = tmp_path / "model.yaml", tmp_path / "config.yaml"
    source.write_text("VERSION: 2\n")
    copy_config(source, own)
    copy_config(own, own)
    assert own.read_text() == "VERSION: 2\n"
    source.write_text("VERSION: 2\nSEED: 1\n")
    copy_config(source, own)
    assert own.read_text() == "VERSION: 2\nSEED: 1\n"
