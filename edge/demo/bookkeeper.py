"""The consumer that keeps the account: it sees frames and results as any other consumer would."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from consumers.archive import Archive
from consumers.join import FrameJoin, InspectedFrame
from consumers.subscription import Subscription
from edge.bus.source import FrameSource
from edge.contracts.results import Defect, Inspection
from edge.demo.account import Account
from edge.settings import KafkaSettings

_GROUP = "stripsight-demo-bookkeeper"
_FRAMES_A_POLL = 16


class Bookkeeper:
    """Joins frames, inspections and defects; enters each frame in the account and in the archive, if any.

    Within its context it is assigned to all topics, so that no record that comes from then on is missed.
    """

    def __init__(self, kafka: KafkaSettings, account: Account, archive: Archive | None) -> None:
        self._account = account
        self._archive = archive
        self._one_writer = asyncio.Lock()
        self._join = FrameJoin()
        self._frames = FrameSource(kafka.model_copy(update={"group_id": _GROUP}))
        self._inspections = Subscription(kafka, kafka.inspections_topic, Inspection)
        self._defects = Subscription(kafka, kafka.defects_topic, Defect)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Be assigned."""
        async with self._stack as stack:
            await stack.enter_async_context(self._inspections)
            await stack.enter_async_context(self._defects)
            await stack.enter_async_context(self._frames)
            await self._frames.ready()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(error_type, error, traceback)

    async def run(self) -> None:
        """Keep the books until cancelled."""
        async with asyncio.TaskGroup() as topics:
            topics.create_task(self._read_inspections())
            topics.create_task(self._read_defects())
            topics.create_task(self._read_frames())

    async def _read_inspections(self) -> None:
        async for inspection in self._inspections:
            await self._enter(self._join.add_inspection(inspection))

    async def _read_defects(self) -> None:
        async for defect in self._defects:
            await self._enter(self._join.add_defect(defect))

    async def _read_frames(self) -> None:
        while True:
            for frame in await self._frames.poll(_FRAMES_A_POLL):
                await self._enter(self._join.add_frame(frame))
                self._frames.done(frame.origin)

    async def _enter(self, complete: Iterable[InspectedFrame]) -> None:
        for inspected in complete:
            if self._archive is not None:
                async with self._one_writer:
                    await asyncio.to_thread(self._archive.write, inspected)
            await self._account.settle(inspected.inspection, inspected.defects)
