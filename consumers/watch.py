"""Watching a result topic: as a rolling table for people, or record by record for programs."""

from typing import BinaryIO, Literal, TypeVar

import msgspec
from rich.console import Console
from rich.text import Text

from consumers.subscription import Subscription
from consumers.tables import RollingTable, defect_table, inspection_table
from edge.bus.results import ResultReader
from edge.contracts import Defect, Inspection
from edge.settings import KafkaSettings

ResultTopic = Literal["defects", "inspections"]
Record = TypeVar("Record", bound=msgspec.Struct)


async def watch_as_table(
    kafka: KafkaSettings,
    topic: ResultTopic,
    console: Console,
    *,
    from_beginning: bool = False,
    count: int | None = None,
) -> None:
    """Print each record as a row, with a header on every screenful, until ``count`` records or cancelled.

    A record that cannot be read is said in the log and passed over.

    Raises:
        MissingTopicError: the topic does not exist.
        BusError: topic or broker are not for us.
    """
    width = console.width if console.is_terminal else None
    name = topic_name(kafka, topic)
    if topic == "defects":
        defects = Subscription(kafka, name, Defect, from_beginning=from_beginning, bad_records="skip")
        await _print_rows(defects, defect_table(width), console, count)
    else:
        inspections = Subscription(kafka, name, Inspection, from_beginning=from_beginning, bad_records="skip")
        await _print_rows(inspections, inspection_table(width), console, count)


async def watch_as_json(
    kafka: KafkaSettings,
    topic: ResultTopic,
    file: BinaryIO,
    *,
    from_beginning: bool = False,
    count: int | None = None,
) -> None:
    """Write each record as it lies on the topic, byte for byte, and a line feed.

    Raises:
        MissingTopicError: the topic does not exist.
        BusError: topic or broker are not for us.
        BrokenPipeError: nobody reads any more.
    """
    written = 0
    async with ResultReader(kafka, topic_name(kafka, topic), from_beginning=from_beginning) as records:
        async for record in records:
            file.write((record.value or b"null") + b"\n")
            file.flush()
            written += 1
            if written == count:
                return


def topic_name(kafka: KafkaSettings, topic: ResultTopic) -> str:
    """Return what the topic is called in this installation."""
    return kafka.defects_topic if topic == "defects" else kafka.inspections_topic


async def _print_rows(
    subscription: Subscription[Record], table: RollingTable[Record], console: Console, count: int | None
) -> None:
    screenful = max(console.height - 2, 1) if console.is_terminal else None
    printed = 0
    async with subscription:
        _print_line(console, table.header())
        async for record in subscription:
            if screenful and printed and printed % screenful == 0:
                _print_line(console, table.header())
            _print_line(console, table.row(record))
            printed += 1
            if printed == count:
                return


def _print_line(console: Console, line: Text) -> None:
    """Cut a line off at the edge of a narrow terminal; a file gets all of it."""
    console.print(line, no_wrap=True, overflow="crop", soft_wrap=not console.is_terminal)
