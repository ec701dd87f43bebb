"""Long work tells how far it has got."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Takes how many frames are done, and of how many."""


def untold(done: int, total: int) -> None:
    """For callers whom nobody watches."""
