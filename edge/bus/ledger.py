"""Which frames are in flight, and up to where their partitions can be committed."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.structs import TopicPartition

from edge.errors import OffsetError

__all__ = ["OffsetLedger", "TopicPartition"]


@dataclass(slots=True)
class _Entry:
    """One partition: ``pending`` holds, in order, what was opened from the first offset not finished on."""

    position: int
    committed: int
    newest: int
    pending: dict[int, bool] = field(default_factory=dict)


class OffsetLedger:
    """Frames are opened in the order of their offsets and finished in any; positions only ever grow.

    A position is what Kafka wants committed: the offset of the next frame to read. It stands behind the last
    frame before which everything opened is finished. Offsets may have gaps, as compaction and transactions
    leave them: what counts is what was opened, not the integers between. ``idle`` is set while nothing is in
    flight.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._entries: dict[TopicPartition, _Entry] = {}
        self._strays: set[tuple[TopicPartition, int]] = set()

    def open(self, partition: TopicPartition, offset: int) -> None:
        """Take a frame in.

        Raises:
            OffsetError: the offset is not behind all that were opened before it.
        """
        entry = self._entries.get(partition)
        if entry is None:
            entry = self._entries[partition] = _Entry(position=offset, committed=offset, newest=offset - 1)
        if offset <= entry.newest:
            raise OffsetError(f"{_name(partition, offset)}: opened after {entry.newest}")
        entry.newest = offset
        entry.pending[offset] = False
        self._count(+1)

    def done(self, partition: TopicPartition, offset: int) -> None:
        """Finish a frame; one whose partition was forgotten while it was in flight no longer matters.

        Raises:
            OffsetError: no such frame is in flight.
        """
        entry = self._entries.get(partition)
        if entry is None or entry.pending.get(offset) is not False:
            self._finish_stray(partition, offset)
            return
        entry.pending[offset] = True
        self._count(-1)
        while entry.pending and entry.pending[first := next(iter(entry.pending))]:
            del entry.pending[first]
            entry.position = first + 1

    def due(self, partition: TopicPartition, offsets: Sequence[int]) -> list[int]:
        """Return those of some offsets, each once and in their order, whose results may be published now.

        They are in flight, and nothing before them is in flight that is not among them. So what is left over
        from an assignment that ended, and whose predecessors were dropped, cannot get ahead of those: they
        are read again, and it with them. Of the rest, what is left over is as good as what was read again.
        """
        entry = self._entries.get(partition)
        if entry is None:
            return []
        wanted = sorted({offset for offset in offsets if entry.pending.get(offset) is False})
        in_flight = (offset for offset, is_done in entry.pending.items() if not is_done)
        return [offset for offset, first in zip(wanted, in_flight, strict=False) if offset == first]

    def committable(self) -> dict[TopicPartition, int]:
        """Return the positions of all partitions that moved on since they were committed."""
        return {
            partition: entry.position
            for partition, entry in self._entries.items()
            if entry.position > entry.committed
        }

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note what Kafka has accepted; partitions forgotten meanwhile are passed over.

        Raises:
            OffsetError: a position lies before one that was committed earlier.
        """
        for partition, position in positions.items():
            entry = self._entries.get(partition)
            if entry is None or position > entry.position:
                continue  # forgotten since; if there is an entry, it is of a later assignment
            if position < entry.committed:
                raise OffsetError(f"{_name(partition, position)}: committed after {entry.committed}")
            entry.committed = position

    def settle(self, partition: TopicPartition, position: int) -> list[int]:
        """Note a position that Kafka has committed together with the results of all before it.

        Returns the offsets in flight that are finished by this. What lies before the position and was never
        opened counts as opened, too: somebody else has finished it.
        """
        entry = self._entries.get(partition)
        if entry is None or position <= entry.committed:
            return []
        finished = [offset for offset, is_done in entry.pending.items() if offset < position and not is_done]
        for offset in finished:
            self.done(partition, offset)
        entry.position = max(entry.position, position)
        entry.newest = max(entry.newest, position - 1)
        entry.committed = position
        return finished

    def newest(self, partition: TopicPartition) -> int | None:
        """Return the last offset that was opened; None while none was."""
        entry = self._entries.get(partition)
        return entry.newest if entry else None

    def position(self, partition: TopicPartition) -> int | None:
        """Return where the partition stands; None while no frame of it was taken in."""
        entry = self._entries.get(partition)
        return entry.position if entry else None

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions that were given up; finishing what is in flight of them has no effect."""
        for partition in partitions:
            entry = self._entries.pop(partition, None)
            if entry is not None:
                strays = [offset for offset, is_done in entry.pending.items() if not is_done]
                self._strays.update((partition, offset) for offset in strays)
                self._count(-len(strays))

    def _count(self, change: int) -> None:
        self.in_flight += change
        if self.in_flight:
            self.idle.clear()
        else:
            self.idle.set()

    def _finish_stray(self, partition: TopicPartition, offset: int) -> None:
        try:
            self._strays.remove((partition, offset))
        except KeyError:
            raise OffsetError(f"{_name(partition, offset)}: finished, but not in flight") from None


def _name(partition: TopicPartition, offset: int) -> str:
    return f"{partition.topic}:{partition.partition}:{offset}"
