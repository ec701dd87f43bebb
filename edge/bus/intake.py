"""How frames are taken out of a consumer: fairly, in order, and past what cannot be read."""

import asyncio
import time
import traceback
from collections.abc import Callable, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import CorruptRecordException

from edge.bus.ledger import OffsetLedger, TopicPartition
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.errors import BusError, OffsetError

log = structlog.get_logger(__name__)

# aiokafka cannot read records whose header names are no UTF-8, nor those behind them in their batch, nor a
# batch whose checksum is wrong. It would come back to them forever. Its compiled parser gives a batch up at
# the first such record and keeps the bytes to itself, so that neither it nor what is behind it can be had.
_UNREADABLE = (UnicodeDecodeError, CorruptRecordException)


class Intake:
    """Takes frames from partitions in turns, one from each, and opens them in the ledger.

    What aiokafka has fetched and nobody takes stays fetched, and no more is fetched of that partition: a
    camera that is not wanted, or a pipeline that has no room, costs the memory of one fetch and no traffic.
    (aiokafka's own pause() drops what is fetched, and gets it again on resume().)
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        ledger: OffsetLedger,
        *,
        on_taken: Callable[[TopicPartition, int], None] = lambda _, __: None,
    ) -> None:
        self.paused: set[TopicPartition] = set()
        self._consumer = consumer
        self._ledger = ledger
        self._on_taken = on_taken
        self._turns: list[TopicPartition] = []  # whoever was served goes to the end
        self._fetched_again: dict[TopicPartition, int] = {}  # the offset that could not be read at first
        self._error: Exception | None = None  # came behind frames; the next take() raises it

    @property
    def partitions(self) -> list[TopicPartition]:
        """What there is to take from."""
        return list(self._turns)

    @property
    def wanted(self) -> list[TopicPartition]:
        """What is not paused, whoever waits longest first."""
        return [partition for partition in self._turns if partition not in self.paused]

    def begin(self, partitions: Iterable[TopicPartition]) -> None:
        """Take from these partitions from now on."""
        self._turns = sorted(partitions)

    def end(self) -> None:
        """Take nothing more, and forget who is paused and what went wrong."""
        self._turns = []
        self._error = None
        self.paused.clear()
        self._fetched_again.clear()

    async def take(
        self, max_frames: int, timeout_s: float, ends_turn: Callable[[RawFrame], bool] = lambda _: False
    ) -> list[RawFrame]:
        """Take at most so many frames: those that are there, or the first that comes within the time.

        Behind a frame that ``ends_turn``, no more is taken of its partition.

        Raises:
            KafkaError: nothing could be taken. When some frames were taken before the error, they are
                returned, since they are open in the ledger; the next call raises it.
        """
        self._raise_error()
        frames: list[RawFrame] = []
        try:
            async with asyncio.timeout(2 * timeout_s):  # when a rebalance begins, getmany() waits for its end
                await self._take_what_is_there(frames, max_frames, ends_turn)
                if not frames:
                    await self._take_first(frames, timeout_s, ends_turn)
        except TimeoutError:
            pass
        except Exception as error:
            if not frames:
                raise
            self._error = error
        return frames

    async def _take_what_is_there(
        self, frames: list[RawFrame], max_frames: int, ends_turn: Callable[[RawFrame], bool]
    ) -> None:
        """Go round the partitions until there is no more. Only the first step may wait, for a rebalance.

        All of them are asked, however little room there is: the first in turn may have nothing.
        """
        wanted = self.wanted
        while wanted and len(frames) < max_frames:
            served, again = set(), []
            for partition in wanted:
                if len(frames) == max_frames:
                    break
                frame = await self._take_one(partition)
                if frame is None:
                    continue
                frames.append(frame)
                served.add(partition)
                if not ends_turn(frame):
                    again.append(partition)
            self._turns.sort(key=served.__contains__)  # stable: the others keep their order before them
            wanted = again

    async def _take_first(
        self, frames: list[RawFrame], timeout_s: float, ends_turn: Callable[[RawFrame], bool]
    ) -> None:
        """Wait for the first frame from any of the partitions."""
        frame = await self._take_one(*self.wanted, timeout_ms=int(timeout_s * 1000))
        if frame is not None:
            frames.append(frame)
            ends_turn(frame)

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def _take_one(self, *partitions: TopicPartition, timeout_ms: int = 0) -> RawFrame | None:
        # One at a time: when it comes upon an unreadable record, aiokafka drops the readable ones before it.
        try:
            records = await self._consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=1)
        except _UNREADABLE as error:
            return await self._skip_unreadable(_partition_of(error), error)
        if not self._turns:
            return None  # given up while we waited: whoever gets the partition reads the frame again
        return next((self._accept(record) for (record,) in records.values()), None)

    async def _skip_unreadable(self, partition: TopicPartition, error: Exception) -> RawFrame | None:
        """Fetch a record that cannot be read once more, in case it was damaged on its way; then pass over it.

        It goes on as a frame that is nothing but its error, so that it leaves a trace.
        """
        offset = await self._consumer.position(partition)
        origin = FrameOrigin(partition.topic, partition.partition, offset)
        if self._fetched_again.get(partition) != offset:
            log.warning("record cannot be read, fetching it again", frame=origin.id, error=repr(error))
            self._fetched_again[partition] = offset
            self._consumer.seek(partition, offset)  # drops what was fetched
            return None
        log.error("record cannot be read", frame=origin.id, error=repr(error))
        self._consumer.seek(partition, offset + 1)
        self._open(partition, offset)
        return RawFrame(
            origin,
            timestamp_ms=int(time.time() * 1000),
            key=None,
            headers=(),
            value=None,
            error=f"the record cannot be read, its bytes are lost: {error}",
        )

    def _accept(self, record: ConsumerRecord[bytes, bytes]) -> RawFrame:
        self._open(TopicPartition(record.topic, record.partition), record.offset)
        return RawFrame(
            FrameOrigin(record.topic, record.partition, record.offset),
            timestamp_ms=record.timestamp,
            key=record.key,
            headers=tuple(record.headers),
            value=record.value,
        )

    def _open(self, partition: TopicPartition, offset: int) -> None:
        self._on_taken(partition, offset)
        try:
            self._ledger.open(partition, offset)
        except OffsetError as error:
            # The topic was deleted and created again, or lost its end with its leader.
            log.warning("offsets went back", error=str(error))
            self._ledger.forget([partition])
            self._ledger.open(partition, offset)


def _partition_of(error: Exception) -> TopicPartition:
    """Find the partition that aiokafka was reading when it failed, which its error does not tell."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        partition = frame.f_locals.get("tp")
        if isinstance(partition, TopicPartition):
            return partition
    raise BusError(f"a record cannot be read: {error!r}") from error
