"""The account of a run: every frame published must end in exactly one outcome."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.contracts.results import Defect, Inspection, Outcome

# The embedded broker keeps 5 MB a partition and silently drops what is older: a camera waits before that.
MAX_OUTSTANDING_BYTES = 2 * 2**20
# Two cameras then keep the model busy with the next batch waiting; more would only make results late.
MAX_OUTSTANDING_FRAMES = 8

RATE_WINDOW_S = 5.0
LATENCIES_KEPT = 500
DEFECTS_KEPT = 50


@dataclass(slots=True)
class CameraAccount:
    """What became of one camera's frames."""

    published: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    defects: int = 0
    strip_mm: float = 0.0
    coil: str | None = None
    position_mm: float | None = None
    outstanding_bytes: deque[int] = field(default_factory=deque)
    settled_at: deque[float] = field(default_factory=deque)

    @property
    def settled(self) -> int:
        """Frames with an outcome."""
        return self.outcomes.total()

    @property
    def has_room(self) -> bool:
        """Whether one more frame is safe with the broker."""
        waiting = self.outstanding_bytes
        return len(waiting) < MAX_OUTSTANDING_FRAMES and sum(waiting) < MAX_OUTSTANDING_BYTES

    def frames_per_s(self, now: float) -> float:
        """Return the pace of the last seconds."""
        recent = self.settled_at
        while recent and recent[0] < now - RATE_WINDOW_S:
            recent.popleft()
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0


class Account:
    """Counts what cameras publish against what the inspection records say, camera by camera."""

    def __init__(self, cameras: Sequence[str]) -> None:
        self.cameras = {camera: CameraAccount() for camera in cameras}
        self.latencies_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.last_defects: deque[Defect] = deque(maxlen=DEFECTS_KEPT)
        self.settled_last_at = 0.0  # seconds of time.perf_counter(), for benchmarks
        self._changed = asyncio.Condition()

    @property
    def published(self) -> int:
        """Frames published by all cameras."""
        return sum(camera.published for camera in self.cameras.values())

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Frames of all cameras by outcome."""
        return sum((camera.outcomes for camera in self.cameras.values()), Counter())

    @property
    def defects(self) -> int:
        """Defects of all cameras."""
        return sum(camera.defects for camera in self.cameras.values())

    @property
    def is_closed(self) -> bool:
        """Whether frames published = inspected + skipped + failed, for each camera."""
        return all(camera.published == camera.settled for camera in self.cameras.values())

    def publish(self, camera: str, size_bytes: int) -> None:
        """Enter a frame that a camera is about to publish."""
        account = self.cameras[camera]
        account.published += 1
        account.outstanding_bytes.append(size_bytes)

    async def settle(self, inspection: Inspection, defects: Sequence[Defect]) -> None:
        """Enter the outcome of a frame."""
        account = self.cameras[inspection.frame.camera]
        account.outcomes[inspection.outcome] += 1
        account.defects += len(defects)
        account.coil = inspection.frame.coil
        if inspection.strip_mm is not None:
            account.position_mm = inspection.strip_mm.y1
            account.strip_mm += inspection.strip_mm.y1 - inspection.strip_mm.y0
        if account.outstanding_bytes:
            account.outstanding_bytes.popleft()
        self.settled_last_at = time.perf_counter()
        account.settled_at.append(time.monotonic())
        age = datetime.now(UTC) - inspection.frame.captured_at
        self.latencies_s.append(age.total_seconds())
        self.last_defects.extend(defects)
        async with self._changed:
            self._changed.notify_all()

    async def room(self, camera: str) -> None:
        """Wait until one more frame of this camera is safe with the broker."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.cameras[camera].has_room)

    async def settled(self, frames: int) -> None:
        """Wait until so many frames have their outcome."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.outcomes.total() >= frames)

    async def closed(self) -> None:
        """Wait until every frame that was published has its outcome."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_closed)

    def latency_s(self, quantile: float) -> float | None:
        """Return a quantile of the last latencies, from capture to the result in a consumer's hands."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(quantile * len(ordered)), len(ordered) - 1)] if ordered else None
