"""A frame and what was found on it, brought together from three topics by the frame's id."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.contracts import Defect, Inspection, RawFrame

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class InspectedFrame:
    """An inspection with all its defects, by index, and the frame itself.

    ``frame`` may be None where nothing was found, since a clean frame is not waited for, and where memory did
    not last.
    """

    inspection: Inspection
    defects: tuple[Defect, ...]
    frame: RawFrame | None


@dataclass(slots=True)
class _Waiting:
    """What has come of one frame so far."""

    frame: RawFrame | None = None
    frame_dropped: bool = False
    inspection: Inspection | None = None
    defects: dict[int, Defect] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        return len(self.frame.value or b"") if self.frame else 0

    @property
    def is_complete(self) -> bool:
        if self.inspection is None or len(self.defects) < self.inspection.defects:
            return False
        return not self.defects or self.frame is not None or self.frame_dropped


class FrameJoin:
    """Joins records in whatever order they come; each frame leaves once, however often it was processed.

    Args:
        max_frame_bytes: frames that wait for their results, together; the oldest is dropped, and its results
            will leave without it.
        max_waiting: frames known in part; the oldest leaves incomplete, or is forgotten if it was never
            inspected.
    """

    def __init__(self, *, max_frame_bytes: int = 256 * MEBIBYTE, max_waiting: int = 10_000) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._max_waiting = max_waiting
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._frame_bytes = 0
        # Ids of frames that have left: a result that comes twice, or a clean frame after its inspection.
        self._left: OrderedDict[str, None] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of frames known in part."""
        return len(self._waiting)

    @property
    def frame_bytes(self) -> int:
        """Bytes of the frames that wait for their results."""
        return self._frame_bytes

    def add_frame(self, frame: RawFrame) -> list[InspectedFrame]:
        """Take in a frame; return what is complete by it."""
        entry = self._entry(frame.origin.id)
        if entry is not None and entry.frame is None:
            entry.frame = frame
            self._frame_bytes += entry.frame_bytes
            self._drop_frames()
        return list(self._leaving(frame.origin.id))

    def add_inspection(self, inspection: Inspection) -> list[InspectedFrame]:
        """Take in an inspection; return what is complete by it."""
        entry = self._entry(inspection.frame.id)
        if entry is not None:
            entry.inspection = inspection
        return list(self._leaving(inspection.frame.id))

    def add_defect(self, defect: Defect) -> list[InspectedFrame]:
        """Take in a defect; return what is complete by it."""
        entry = self._entry(defect.frame.id)
        if entry is not None:
            entry.defects[defect.index] = defect
        return list(self._leaving(defect.frame.id))

    def _entry(self, frame_id: str) -> _Waiting | None:
        if frame_id in self._left:
            return None
        return self._waiting.setdefault(frame_id, _Waiting())

    def _leaving(self, frame_id: str) -> Iterator[InspectedFrame]:
        entry = self._waiting.get(frame_id)
        if entry is not None and entry.is_complete:
            yield from self._leave(frame_id)
        while len(self._waiting) > self._max_waiting:
            yield from self._leave(next(iter(self._waiting)))

    def _leave(self, frame_id: str) -> Iterator[InspectedFrame]:
        entry = self._waiting.pop(frame_id)
        self._frame_bytes -= entry.frame_bytes
        if entry.inspection is None:
            return
        self._left[frame_id] = None
        if len(self._left) > self._max_waiting:
            self._left.popitem(last=False)
        defects = tuple(defect for _, defect in sorted(entry.defects.items()))
        yield InspectedFrame(entry.inspection, defects, entry.frame)

    def _drop_frames(self) -> None:
        for entry in self._waiting.values():
            if self._frame_bytes <= self._max_frame_bytes:
                return
            if entry.frame is not None:
                self._frame_bytes -= entry.frame_bytes
                entry.frame, entry.frame_dropped = None, True
