"""Watching the result topics."""

import io
from collections.abc import Awaitable, Callable

import pytest
from rich.console import Console

from consumers.watch import watch_as_json, watch_as_table
from edge.bus.publisher import Publisher, Record
from edge.contracts import Defect, Inspection
from edge.contracts.encoding import encode_record
from edge.errors import MissingTopicError
from edge.settings import KafkaSettings

MakeTopic = Callable[..., Awaitable[str]]
MakeDefect = Callable[..., Defect]


@pytest.fixture
async def results(kafka: KafkaSettings, make_topic: MakeTopic) -> KafkaSettings:
    """Kafka with both result topics."""
    await make_topic("defects")
    await make_topic("inspections")
    return kafka


async def publish(kafka: KafkaSettings, topic: str, *values: bytes) -> None:
    """Put values on a topic."""
    async with Publisher(kafka) as publisher:
        await publisher.publish([Record(topic, value) for value in values])


async def test_defects_are_printed_under_their_header(
    results: KafkaSettings, make_defect: MakeDefect
) -> None:
    """From the beginning, and no more than was asked for."""
    await publish(
        results, results.defects_topic, *(encode_record(make_defect(offset)) for offset in range(3))
    )
    screen = io.StringIO()

    await watch_as_table(results, "defects", Console(file=screen), from_beginning=True, count=2)

    header, *rows = screen.getvalue().splitlines()
    assert header.split()[:3] == ["time", "line", "camera"]
    assert len(rows) == 2
    assert all("defect_3" in row for row in rows)


async def test_inspections_are_printed(
    results: KafkaSettings, make_inspection: Callable[..., Inspection]
) -> None:
    """The other topic has columns of its own."""
    await publish(results, results.inspections_topic, encode_record(make_inspection(4)))
    screen = io.StringIO()

    await watch_as_table(results, "inspections", Console(file=screen), from_beginning=True, count=1)

    assert "inspected" in screen.getvalue().splitlines()[1]


async def test_the_header_comes_back_on_every_screenful(
    results: KafkaSettings, make_defect: MakeDefect
) -> None:
    """On a terminal of 6 lines there is a header above every 4 records."""
    await publish(
        results, results.defects_topic, *(encode_record(make_defect(offset)) for offset in range(9))
    )
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=100, height=6)

    await watch_as_table(results, "defects", console, from_beginning=True, count=9)

    lines = screen.getvalue().splitlines()
    assert [index for index, line in enumerate(lines) if line.startswith("time")] == [0, 5, 10]


async def test_a_bad_record_is_passed_over(results: KafkaSettings, make_defect: MakeDefect) -> None:
    """One that is no defect does not end the watch."""
    await publish(results, results.defects_topic, b"{}", encode_record(make_defect()))
    screen = io.StringIO()

    await watch_as_table(results, "defects", Console(file=screen), from_beginning=True, count=1)

    assert len(screen.getvalue().splitlines()) == 2


async def test_json_lines_are_the_very_bytes_of_the_topic(
    results: KafkaSettings, make_defect: MakeDefect
) -> None:
    """Fields that this version does not know come through, and so does what is no record at all."""
    values = [encode_record(make_defect()), b'{"of": "a later version"}', b"not JSON"]
    await publish(results, results.defects_topic, *values)
    file = io.BytesIO()

    await watch_as_json(results, "defects", file, from_beginning=True, count=3)

    assert file.getvalue() == b"".join(value + b"\n" for value in values)


async def test_a_missing_topic_is_named(kafka: KafkaSettings) -> None:
    """Watching what does not exist is not waiting for ever."""
    with pytest.raises(MissingTopicError, match=kafka.defects_topic):
        await watch_as_json(kafka, "defects", io.BytesIO())
