"""Devices that torch can use here."""

import torch

from edge.errors import SettingsError

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
