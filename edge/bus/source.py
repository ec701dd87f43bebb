"""Frames from Kafka, and the commits of those that are finished."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from edge.bus.connection import (
    LONGEST_FETCH_MS,
    client_arguments,
    largest_frame_bytes,
    start_client,
    stop_consumer,
    wait_for_broker,
)
from edge.bus.intake import Intake
from edge.bus.ledger import OffsetLedger, TopicPartition
from edge.bus.losses import LossWatch
from edge.bus.membership import keep_polling, may_pass
from edge.bus.topics import existing_topics, is_frame_topic, require_topics
from edge.bus.transactions import Transactions
from edge.bus.watch import BrokerWatch
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.errors import BusError
from edge.settings import KafkaSettings
from edge.stopping import together

log = structlog.get_logger(__name__)

# How long poll() waits for a frame, hence how late it notices a stop or a partition that was just assigned.
_POLL_S = 0.2

# How long poll() waits when it may take nothing: a fraction of the time a batch takes, so that room is used
# as soon as there is some, and long enough not to spin.
_NO_ROOM_S = 0.01

# What one fetch may bring for all partitions together, unless a single frame is larger. Fetched frames wait
# in memory until poll() takes them; this bounds them for each broker.
_FETCH_BYTES = 50 * 2**20

# What it may bring of one partition: Kafka's own default, a dozen frames. What is larger passes through
# memory that is fresh each time, at the cost of a page fault for every 4 KiB of each copy; with 16 MiB that
# was 0.15 ms a frame, and twice the memory. A single larger frame comes all the same (KIP-74), alone.
_PARTITION_FETCH_BYTES = 2**20

# Heartbeats come from the event loop, which nothing here blocks for even one of so many to a session.
_HEARTBEATS_A_SESSION = 3

# In a rebalance all members finish what they have in flight; meanwhile no camera is inspected. Batches take
# well under a second each, so 30 s is for a model that hangs: its frames are then inspected elsewhere, too.
# The broker allows more, so that we give up before it throws us out.
_RELEASE_TIMEOUT_S = 30.0
_REBALANCE_TIMEOUT_MS = 45_000

_DISCOVERY_INTERVAL_S = 5.0
_WATCH_INTERVAL_S = 1.0
_PARTITIONS_MAX_AGE_MS = 10_000  # how old the known number of partitions may get


class FrameSource(ConsumerRebalanceListener):
    """The frames of all cameras that fall to this member of the consumer group.

    Frames of one partition come in their order, partitions take turns frame by frame. ``done`` is called for
    every frame when its results are acknowledged; ``commit`` then commits up to the first frame that is not
    done. A frame that was taken and never done is read again, here after a restart or by another member.

    Before partitions are given up, intake stops, and what is in flight is given time to be done.

    With transactions, a partition is claimed before anything is taken from it, and reading begins at what is
    committed by then: whoever had it before can commit no more.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        transactions: Transactions | None = None,
        heartbeat_interval_ms: int | None = None,
        release_timeout_s: float = _RELEASE_TIMEOUT_S,
        discovery_interval_s: float = _DISCOVERY_INTERVAL_S,
        watch_interval_s: float = _WATCH_INTERVAL_S,
    ) -> None:
        self._kafka = kafka
        self._transactions = transactions
        self._claiming: asyncio.Task[None] | None = None
        self._release_timeout_s = release_timeout_s
        self._discovery_interval_s = discovery_interval_s
        self._ledger = OffsetLedger()
        self._joined = asyncio.Event()  # at least once; a failure counts, too
        self._assigned = asyncio.Event()
        self._commit_lock = asyncio.Lock()
        self._failure: BusError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            group_id=kafka.group_id,
            group_instance_id=kafka.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=LONGEST_FETCH_MS,
            fetch_max_bytes=max(_FETCH_BYTES, largest_frame_bytes(kafka)),
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            session_timeout_ms=kafka.session_timeout_ms,
            heartbeat_interval_ms=heartbeat_interval_ms or kafka.session_timeout_ms // _HEARTBEATS_A_SESSION,
            rebalance_timeout_ms=max(_REBALANCE_TIMEOUT_MS, int(release_timeout_s * 1500)),
            metadata_max_age_ms=_PARTITIONS_MAX_AGE_MS,
        )
        self._losses = LossWatch(self._consumer, interval_s=watch_interval_s)
        self._intake = Intake(self._consumer, self._ledger, on_taken=self._losses.note)
        self._watch = BrokerWatch(self._consumer, interval_s=watch_interval_s)

    async def __aenter__(self) -> Self:
        """Join the group; if there are frame topics, its partitions are assigned then.

        Raises:
            MissingTopicError: a topic of the explicit list does not exist.
            BusError: the group may not be joined.
        """
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_claiming()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await stop_consumer(self._consumer, self._kafka)
        await self._stop_claiming()  # of an assignment that came while the group was left

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that fall to this member; none during a rebalance."""
        return frozenset(self._intake.partitions)

    @property
    def in_flight(self) -> int:
        """How many frames were taken and are not done."""
        return self._ledger.in_flight

    @property
    def reachable(self) -> bool:
        """Whether the broker answered when it was last asked, which is every second."""
        return self._watch.reachable

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Return by (topic, partition) how many frames are not done, as of about a second ago."""
        lags = {
            partition: self._watch.records_behind(partition, self._ledger.position(partition))
            for partition in self._intake.partitions
        }
        return {partition: lag for partition, lag in lags.items() if lag is not None}

    def lost(self) -> Mapping[str, int]:
        """Return how many frames were deleted unread, by each topic that ever fell to this member."""
        return self._losses.lost_frames

    async def ready(self) -> None:
        """Wait until partitions fall to this member, and it is known where reading begins.

        Raises:
            BusError: Kafka refuses us for good.
        """
        positioned = False
        while not positioned:
            await self._assigned.wait()
            self._raise_failure()
            with contextlib.suppress(IllegalStateError):  # given up meanwhile
                for partition in self._intake.partitions:
                    await self._consumer.position(partition)
                positioned = bool(self._intake.partitions)

    def pause(self, *partitions: TopicPartition) -> None:
        """Take nothing more from these partitions, until they are resumed or assigned anew."""
        self._intake.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Take from these partitions again."""
        self._intake.paused.difference_update(partitions)

    async def poll(
        self,
        max_frames: int,
        *,
        timeout_s: float = _POLL_S,
        ends_turn: Callable[[RawFrame], bool] = lambda _: False,
    ) -> list[RawFrame]:
        """Take in at most so many frames: those that are there, or the first that comes within the time.

        ``ends_turn`` is asked about each frame as it is taken; behind one of which it says so, no more is
        taken of the same partition before the next call.

        With 0, or while all partitions are paused, none is taken, and the call returns after a moment.
        Membership of the group does not depend on how often this is called. Cancelling it loses no frame.

        Raises:
            BusError: Kafka refuses us for good.
        """
        self._raise_failure()
        if not self._intake.partitions:
            await self._wait_for_assignment(timeout_s)
        elif max_frames < 1 or not self._intake.wanted:
            await asyncio.sleep(min(_NO_ROOM_S, timeout_s))
        else:
            try:
                return await self._intake.take(max_frames, timeout_s, ends_turn)
            except KafkaError as error:
                if not may_pass(error):
                    self._fail(error)
                    self._raise_failure()
                await asyncio.sleep(timeout_s)  # whether it lasts too long, keep_polling() decides
        return []

    def done(self, origin: FrameOrigin) -> None:
        """Say that all results of a frame are acknowledged, or that it needs none.

        Raises:
            OffsetError: the frame is not in flight.
        """
        self._ledger.done(TopicPartition(origin.topic, origin.partition), origin.offset)

    def due(self, partition: TopicPartition, offsets: Sequence[int]) -> list[int]:
        """Return those of some frames of a partition, in order, whose results may be published now.

        None, when the partition was given up since they were taken.
        """
        return self._ledger.due(partition, offsets)

    def is_open(self, partition: TopicPartition) -> bool:
        """Tell whether frames were taken from a partition that was not given up since."""
        return self._ledger.position(partition) is not None

    def settle(self, partition: TopicPartition, position: int) -> list[int]:
        """Say that a position is committed together with all results before it; returns what it finished."""
        newest = self._ledger.newest(partition)
        finished = self._ledger.settle(partition, position)
        if newest is not None and newest < position - 1:
            with contextlib.suppress(IllegalStateError):  # given up meanwhile: whoever gets it begins there
                self._consumer.seek(partition, position)  # another daemon got further than we have read
        return finished

    async def committed(self, partition: TopicPartition) -> int | None:
        """Ask the broker where the group stands; None: nowhere yet. Waits while it cannot be reached."""
        position: int | None = await self._consumer.committed(partition)
        return position

    async def commit(self) -> None:
        """Commit all that is done; waits for as long as the broker cannot be reached.

        When partitions are given up meanwhile, their frames are read again by whoever gets them.

        Raises:
            BusError: Kafka refuses the commit for good.
        """
        async with self._commit_lock:
            positions = self._ledger.committable()
            if not positions:
                return
            try:
                await self._consumer.commit(positions)
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("not committed, since the group rebalances", error=repr(error.__cause__ or error))
            except KafkaError as error:
                raise BusError(f"commit of group {self._kafka.group_id}: {error!r}") from error
            else:
                self._ledger.committed(positions)

    # --- rebalances: called by aiokafka, which waits for them -------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish and commit what is in flight; aiokafka hands out no frames and keeps up the heartbeats."""
        await self._release(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin with the partitions that fall to us."""
        assigned = frozenset(assigned)
        log.info("partitions assigned", partitions=[f"{name}:{number}" for name, number in sorted(assigned)])
        if self._transactions is None:
            await self._begin(assigned)
        else:  # aiokafka sends no heartbeats while it waits for us
            self._claiming = asyncio.create_task(self._claim(self._transactions, assigned))
            self._claiming.add_done_callback(self._note_end)
        self._joined.set()

    async def _begin(self, partitions: frozenset[TopicPartition]) -> None:
        await self._losses.begin(partitions)
        self._intake.begin(partitions)
        if self._intake.partitions:
            self._assigned.set()

    async def _claim(self, transactions: Transactions, partitions: frozenset[TopicPartition]) -> None:
        """1. fence off whoever had the partitions before  2. read from where they stand now."""
        await together(transactions.claim_in_time(partition) for partition in partitions)
        for partition in partitions:
            position = await self.committed(partition)
            if position is not None:
                self._consumer.seek(partition, position)
        await self._begin(partitions)

    async def _stop_claiming(self) -> None:
        if self._claiming is not None:
            if not self._claiming.cancelling():  # a second time would cut its tidying up short
                self._claiming.cancel()
            await asyncio.wait([self._claiming])

    async def _release(self, partitions: Iterable[TopicPartition]) -> None:
        """1. take nothing more in  2. let what is in flight be done  3. commit  4. forget."""
        partitions = frozenset(partitions)
        await self._stop_claiming()
        self._intake.end()
        self._assigned.clear()
        try:
            async with asyncio.timeout(self._release_timeout_s):
                await self._ledger.idle.wait()
                await self.commit()
        except TimeoutError:
            log.warning("partitions given up with frames in flight", frames=self._ledger.in_flight)
        except BusError as error:
            log.warning("partitions given up uncommitted", error=str(error))
        finally:
            self._ledger.forget(partitions)
            self._watch.forget(partitions)
        if self._transactions is not None:
            await self._transactions.release(partitions)

    async def _wait_for_assignment(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._assigned.wait()

    # --- background -------------------------------------------------------------

    async def _start(self) -> None:
        await wait_for_broker(self._kafka)
        if self._kafka.frame_topics is not None:
            await require_topics(self._kafka, self._kafka.frame_topics)
        await start_client(self._consumer, self._kafka)
        self._in_background(keep_polling(self._consumer, self._fail))
        self._in_background(self._watch.run())
        self._in_background(self._losses.run())
        topics = self._frame_topics(await existing_topics(self._kafka))
        if topics:
            self._consumer.subscribe(topics, listener=self)
            await self._joined.wait()
            self._raise_failure()
        if self._kafka.frame_topics is None:
            self._in_background(self._discover(topics))

    async def _discover(self, subscribed: list[str]) -> None:
        """Look for new cameras.

        aiokafka can subscribe to a pattern itself, but then drops the assignment before it says so, and what
        is in flight can no more be committed. So this releases the partitions first.
        """
        while True:
            await asyncio.sleep(self._discovery_interval_s)
            try:
                topics = self._frame_topics(await self._consumer.topics())
            except KafkaError:
                continue  # the broker is gone; the watch says so
            if topics and topics != subscribed:
                log.info("frame topics changed", topics=topics)
                await self._release(self._consumer.assignment())
                await self._stop_claiming()  # a rebalance may have come while we waited
                self._consumer.subscribe(topics, listener=self)
                subscribed = topics

    def _frame_topics(self, topics: Iterable[str]) -> list[str]:
        return sorted(topic for topic in topics if is_frame_topic(topic, self._kafka))

    def _in_background(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        task.add_done_callback(self._note_end)
        self._tasks.append(task)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Keep an error that will not pass, for poll() to raise."""
        self._failure = BusError(
            f"group {self._kafka.group_id} at {self._kafka.bootstrap_servers}: {error!r}"
        )
        self._joined.set()
        self._assigned.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
