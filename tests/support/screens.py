"""Screens that have learned nothing."""

from pathlib import Path

import torch

from edge.training.screen.run import write_screen
from edge.vision.screen.card import Calibration, Card
from edge.vision.screen.network import ScreenNetwork


def untrained_screen(folder: Path, *, threshold: float = 0.5) -> Path:
    """Write a screen with random weights, which tells one shade from another by chance."""
    torch.manual_seed(0)
    calibration = Calibration(
        miss_rate=0.1,
        confidence=0.95,
        frames_with_defects=29,
        missed=0,
        miss_rate_at_most=0.1,
        clean_frames=0,
        clean_passed=0,
    )
    card = Card(name="by-chance", threshold=threshold, learned_from="nothing", calibration=calibration)
    write_screen(folder, ScreenNetwork(), card)
    return folder
