"""A screen before a model, without torch until there is one."""

from pathlib import Path

from edge.vision.runtime import Runtime
from edge.vision.screen.card import read_card


def screened(
    runtime: Runtime, folder: Path | None, *, device: str = "auto", threshold: float | None = None
) -> Runtime:
    """Let only what a screen finds suspicious through to a runtime; None for no screen.

    Raises:
        ModelFileError: a file of the screen's folder is missing, unreadable, or not what it should be.
        ModelMismatchError: its weights are of another network.
        SettingsError: the device cannot be used here.
    """
    if folder is None:
        return runtime
    read_card(folder)  # names a wrong folder at once: torch takes seconds to import
    from edge.vision.screen.runtime import ScreenedRuntime  # noqa: PLC0415
    from edge.vision.screen.screen import Screen  # noqa: PLC0415

    return ScreenedRuntime(runtime, Screen.read(folder, device=device, threshold=threshold))
