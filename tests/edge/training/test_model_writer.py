"""Writing model folders."""

from pathlib import Path

import torch

from edge.training.model_writer import copy_config, store_thresholds, write_folder
from edge.vision.model_folder import learned_frame_px, read_model_folder


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


def test_a_folder_says_what_its_model_has_learned_from(tmp_path: Path) -> None:
    """The size of its frames, which stays when thresholds are tuned."""
    config, folder = tmp_path / "model.yaml", tmp_path / "model"
    config.write_text("VERSION: 2\nMODEL: {ROI_HEADS: {NUM_CLASSES: 1}}\n")
    weights = {"one": torch.zeros(1)}
    write_folder(
        folder, config, weights, name="m", class_names=["pit"], thresholds=[0.5], frame_px=(1600, 256)
    )
    store_thresholds(folder, ["pit"], [0.7])
    assert learned_frame_px(folder) == (1600, 256)
    assert read_model_folder(folder).score_thresholds == (0.7,)
