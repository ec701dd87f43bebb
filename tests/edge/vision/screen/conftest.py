"""A screen that knows bright frames from dark ones, without having learned anything."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edge.training.screen.run import write_screen
from edge.vision.screen.card import Calibration, Card
from edge.vision.screen.network import ScreenNetwork

MakeScreen = Callable[..., Path]


@pytest.fixture
def screen_folder(tmp_path: Path) -> MakeScreen:
    """Write the folder of a screen that finds all the more suspicious the brighter a place is."""

    def write(threshold: float = 0.5, *, gain: float = 4.0) -> Path:
        torch.manual_seed(0)
        network = ScreenNetwork()
        for layer in network.layers:
            convolution = layer[0] if isinstance(layer, torch.nn.Sequential) else layer
            assert isinstance(convolution, torch.nn.Conv2d)
            torch.nn.init.zeros_(convolution.weight)
            middle = convolution.kernel_size[0] // 2
            convolution.weight.data[0, 0, middle, middle] = 1.0  # its first channel is passed on
        last = network.layers[-1]
        assert isinstance(last, torch.nn.Conv2d)
        assert last.bias is not None
        last.weight.data *= gain
        last.bias.data.fill_(-gain)  # 50 grey levels over the mean are as suspicious as not
        calibration = Calibration(
            miss_rate=0.1,
            confidence=0.95,
            frames_with_defects=100,
            missed=4,
            miss_rate_at_most=0.09,
            clean_frames=10,
            clean_passed=3,
        )
        card = Card(name="bright", threshold=threshold, learned_from="nothing", calibration=calibration)
        write_screen(tmp_path / "screen", network, card)
        return tmp_path / "screen"

    return write
