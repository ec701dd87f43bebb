"""When the next frame is due: by frames a second, by the line's speed, or at once."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from edge.errors import SettingsError

Interval = Callable[[float], float]
"""Seconds from one frame to the next, from the millimetres of strip that the first of them shows."""

Gate = Callable[[], Awaitable[object]]
"""Awaited before each frame; holds a camera back for as long as it does not return."""


def by_rate(frames_per_s: float) -> Interval:
    """So many frames a second, whatever they show."""
    _require_pace("rate", frames_per_s, "frames/s")
    return lambda _strip_mm: 1 / frames_per_s


def by_line_speed(line_speed_m_per_s: float) -> Interval:
    """As fast as the strip runs: a frame is due when the one before it has passed under the camera."""
    _require_pace("speed", line_speed_m_per_s, "m/s")
    return lambda strip_mm: strip_mm / (1000 * line_speed_m_per_s)


def _require_pace(name: str, value: float, unit: str) -> None:
    if not 0 < value < math.inf:
        raise SettingsError(f"{name}: {value} {unit} is not a pace; it must be greater than 0")


class Pacer:
    """Lets frames go on an absolute schedule: a frame that is late does not delay those after it.

    Args:
        interval: None lets frames go as fast as they come.
        gate: time spent waiting here moves the whole schedule: a line that was held does not rush afterwards.
        clock: seconds that never go back.
        sleep: waits for seconds of that clock.
    """

    def __init__(
        self,
        interval: Interval | None = None,
        *,
        gate: Gate | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._interval = interval
        self._gate = gate
        self._clock = clock
        self._sleep = sleep
        self._due_at: float | None = None

    async def wait(self, strip_mm: float) -> float:
        """Wait until the next frame, which shows ``strip_mm``, is due; return the seconds it is late by."""
        await self._pass_gate()
        if self._interval is None:
            await self._sleep(0)  # a camera without a pace still lets others have the event loop
            return 0.0
        due_at = self._clock() if self._due_at is None else self._due_at
        self._due_at = due_at + self._interval(strip_mm)
        await self._sleep(max(due_at - self._clock(), 0.0))
        return max(self._clock() - due_at, 0.0)

    async def _pass_gate(self) -> None:
        if self._gate is None:
            return
        came_at = self._clock()
        await self._gate()
        if self._due_at is not None:
            self._due_at += max(self._clock() - max(came_at, self._due_at), 0.0)
