"""The account over a line: every frame on its topics against every result on theirs."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from edge.contracts import Defect, Inspection
from edge.contracts.encoding import decode_record
from edge.contracts.results import StageTimes
from edge.settings import KafkaSettings

Result = TypeVar("Result", Inspection, Defect)

# Copies of an inspection differ in when they were made and in nothing else.
_WHENEVER = {"inspected_at": datetime(2000, 1, 1, tzinfo=UTC), "times": StageTimes()}


@dataclass(frozen=True)
class Account:
    """What became of all frames on the topics."""

    frames: int
    inspections: Sequence[Inspection]
    defects: Sequence[Defect]
    duplicates: Sequence[str]
    lost: Sequence[str]
    unequal: Sequence[str]
    wrong_defects: Sequence[str]

    @property
    def line(self) -> str:
        """The account in a few words."""
        return (
            f"{self.frames} frames, {len(self.duplicates)} duplicates, {len(self.lost)} lost, "
            f"{len(self.unequal)} unequal copies"
        )


async def audit(kafka: KafkaSettings) -> Account:
    """Read all result topics from their beginning to their end, as consumers with read_committed do."""
    frames = await _frame_ids(kafka)
    inspections = await _read_all(kafka, kafka.inspections_topic, Inspection)
    defects = await _read_all(kafka, kafka.defects_topic, Defect)
    copies = Counter(inspection.id for inspection in inspections)
    assert copies.keys() <= set(frames), "inspections of frames that are on no topic"
    by_id = {inspection.id: inspection for inspection in inspections}
    return Account(
        frames=len(frames),
        inspections=list(by_id.values()),
        defects=list({defect.id: defect for defect in defects}.values()),
        duplicates=[each for each, number in copies.items() for _ in range(number - 1)],
        lost=[frame for frame in frames if frame not in copies],
        unequal=_unequal([msgspec.structs.replace(each, **_WHENEVER) for each in inspections])
        + _unequal(defects),
        wrong_defects=_wrong_defects(by_id.values(), defects, copies),
    )


async def all_committed(kafka: KafkaSettings, timeout_s: float = 60) -> None:
    """Wait until the group stands at the end of every frame topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    partitions = [TopicPartition(topic, 0) for topic in kafka.frame_topics or []]
    consumer.assign(partitions)
    async with asyncio.timeout(timeout_s), consumer:
        while True:
            ends = await consumer.end_offsets(partitions)
            stand = {partition: await consumer.committed(partition) or 0 for partition in partitions}
            if stand == ends:
                return
            await asyncio.sleep(0.1)


def _unequal(records: Sequence[Inspection] | Sequence[Defect]) -> list[str]:
    first: dict[str, Inspection | Defect] = {}
    return [each.id for each in records if first.setdefault(each.id, each) != each]


def _wrong_defects(
    inspections: Sequence[Inspection], defects: Sequence[Defect], copies: Counter[str]
) -> list[str]:
    """Frames whose inspection tells another number of defects than there are, or whose copies lack some."""
    found = Counter(defect.frame.id for defect in {defect.id: defect for defect in defects}.values())
    published = Counter(defect.frame.id for defect in defects)
    return [
        each.id
        for each in inspections
        if found[each.id] != each.defects or published[each.id] < each.defects * copies[each.id]
    ]


async def _frame_ids(kafka: KafkaSettings) -> list[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    async with consumer:
        ends = await consumer.end_offsets([TopicPartition(topic, 0) for topic in kafka.frame_topics or []])
    return [f"{topic}:{number}:{offset}" for (topic, number), end in ends.items() for offset in range(end)]


async def _read_all(kafka: KafkaSettings, topic: str, record: type[Result]) -> list[Result]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    records: list[Result] = []
    async with asyncio.timeout(60), consumer:
        await consumer.seek_to_beginning(partition)
        (end,) = (await consumer.end_offsets([partition])).values()
        while await consumer.position(partition) < end:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += [decode_record(each.value or b"", record) for each in batch]
    return records
