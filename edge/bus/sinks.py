"""Where the results of frames go, and what is promised of them: at least once, or exactly once.

Either way frames are handed over in the order in which their partition was read, and one whose partition was
given up meanwhile is dropped unpublished: whoever has the partition now reads it again.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

from aiokafka.structs import TopicPartition

from edge.bus.producing import patiently
from edge.bus.publisher import Publisher
from edge.bus.record import FrameResults, Refused, substitute_of
from edge.bus.source import FrameSource
from edge.bus.transactions import RecordsRefusedError, Transactions, UnclaimedError
from edge.contracts.frame import FrameOrigin
from edge.errors import BrokerUnreachableError


class Sink(Protocol):
    """Takes the results of frames."""

    async def deliver(self, results: Sequence[FrameResults]) -> frozenset[FrameOrigin]:
        """Publish, wait until the broker has acknowledged, and say to the source which frames are done.

        Returns those frames whose results are published now; the others were given up with their partition.

        Raises:
            PublishError: the broker refuses a record for good; its frame does not count as done.
        """


class AtLeastOnce:
    """Publishes first; offsets are committed later. A crash between the two publishes the same again."""

    def __init__(self, publisher: Publisher, source: FrameSource) -> None:
        self._publisher = publisher
        self._source = source

    async def deliver(self, results: Sequence[FrameResults]) -> frozenset[FrameOrigin]:
        """See Sink."""
        due = [
            each
            for partition, group in _by_partition(results)
            for each in _due(self._source, partition, group)
        ]
        await self._publisher.publish([record for each in due for record in each.records])
        for each in due:
            self._source.done(each.origin)
        return frozenset(each.origin for each in due)


class ExactlyOnce:
    """Publishes results and commits offsets in one transaction for each partition.

    Consumers with ``isolation_level=read_committed`` see every record once.
    """

    def __init__(self, transactions: Transactions, source: FrameSource) -> None:
        self._transactions = transactions
        self._source = source

    async def deliver(self, results: Sequence[FrameResults]) -> frozenset[FrameOrigin]:
        """See Sink."""
        try:
            async with asyncio.TaskGroup() as partitions:
                delivering = [
                    partitions.create_task(self._deliver(partition, group))
                    for partition, group in _by_partition(results)
                ]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed  # the first one ended the others
        return frozenset(origin for task in delivering for origin in task.result())

    async def _deliver(self, partition: TopicPartition, results: list[FrameResults]) -> list[FrameOrigin]:
        """Try until the results of one partition are committed, or the partition is given up."""
        finished: list[int] = []
        async for attempt in patiently(UnclaimedError, RecordsRefusedError, BrokerUnreachableError):
            with attempt:
                try:
                    await self._try(partition, results, finished)
                except RecordsRefusedError as error:
                    results = [_with_substitutes(each, error.refused) for each in results]
                    raise
        return [each.origin for each in results if each.origin.offset in finished]

    async def _try(self, partition: TopicPartition, results: list[FrameResults], finished: list[int]) -> None:
        """1. claim if need be, and pass over what is committed after all  2. publish and commit the rest."""
        if _due(self._source, partition, results) and not self._transactions.is_claimed(partition):
            await self._transactions.claim(partition)
            finished += self._source.settle(partition, await self._source.committed(partition) or 0)
            if not self._source.is_open(partition):
                await self._transactions.release([partition])  # given up meanwhile: the claim is not ours
        if due := _due(self._source, partition, results):
            records = [record for each in due for record in each.records]
            position = due[-1].origin.offset + 1
            await self._transactions.publish(partition, records, position)
            finished += self._source.settle(partition, position)


def _by_partition(results: Iterable[FrameResults]) -> Iterator[tuple[TopicPartition, list[FrameResults]]]:
    """Group results by the partition of their frames; within it they keep their order."""

    def partition(each: FrameResults) -> TopicPartition:
        return TopicPartition(each.origin.topic, each.origin.partition)

    for key, group in groupby(sorted(results, key=partition), key=partition):
        yield key, list(group)


def _due(source: FrameSource, partition: TopicPartition, results: list[FrameResults]) -> list[FrameResults]:
    by_offset = {each.origin.offset: each for each in results}
    return [by_offset[offset] for offset in source.due(partition, list(by_offset))]


def _with_substitutes(results: FrameResults, refused: Sequence[Refused]) -> FrameResults:
    substitutes = {id(each.record): substitute_of(each) for each in refused if each.record in results.records}
    return FrameResults(results.origin, [substitutes.get(id(record), record) for record in results.records])
