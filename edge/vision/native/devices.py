"""Devices that torch can use here."""

import torch

from edge.errors import SettingsError
from edge.vision.device import DeviceUse

AUTO = "auto"


def usable_device(name: str, *, setting: str = "device") -> torch.device:
    """Return the device of this name, on which tensors can be placed and read; ``auto`` prefers CUDA.

    Raises:
        SettingsError: it cannot be used; the message names the setting.
    """
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        placed = torch.zeros(1, device=name)
        placed.item()  # the device "meta" takes tensors and forgets their values
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA fails an assertion
        reason = str(error).split("\n", 1)[0]
        raise SettingsError(f"{setting}: '{name}' cannot be used here: {reason}") from error
    return placed.device


def device_use(device: torch.device) -> DeviceUse | None:
    """Return how much of a CUDA device is in use; None for others, and for one that does not answer.

    Whoever scrapes metrics must get the others also when the GPU has failed.
    """
    if device.type != "cuda":
        return None
    try:
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError:
        return None
    return DeviceUse(str(device), total - free, total, _utilization(device))


def _utilization(device: torch.device) -> float | None:
    """Return the share of time in which kernels ran, which only NVIDIA's management library knows."""
    try:
        return torch.cuda.utilization(device) / 100
    except Exception:  # noqa: BLE001 - nvidia-ml-py is an extra, and not every GPU or driver tells (MIG)
        return None
