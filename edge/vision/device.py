"""What a model's device tells of itself."""

from typing import NamedTuple


class DeviceUse(NamedTuple):
    """How much of a GPU is in use, by this process and all others.

    ``utilization`` is the share of the last second in which it was at work; None where nobody can tell.
    """

    device: str
    memory_used_bytes: int
    memory_total_bytes: int
    utilization: float | None = None
