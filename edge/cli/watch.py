"""``stripsight watch``: results as they come."""

import asyncio
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.cli.signals import stop_on_signals
from edge.stopping import unless_stopped

Option = typer.Option


class Topic(StrEnum):
    """The topics that can be watched."""

    defects = "defects"
    inspections = "inspections"


def watch(
    topic: Annotated[Topic, Option(help="What was found, or what became of every frame.")] = Topic.defects,
    as_json: Annotated[
        bool, Option("--json", help="One JSON record a line, exactly as on the topic.")
    ] = False,
    from_beginning: Annotated[
        bool, Option("--from-beginning", help="Begin with the oldest record instead of the next one.")
    ] = False,
    count: Annotated[int | None, Option(help="End after so many records.", min=1)] = None,
    bootstrap: Annotated[
        str | None, Option(help="Kafka's address, host:port. `kafka.bootstrap_servers`")
    ] = None,
    config: Annotated[
        Path | None, Option("--config", "-c", help="TOML file; default: stripsight.toml, if it is there.")
    ] = None,
) -> None:
    """Subscribe to the results and print them as they come, until Ctrl-C.

    x and y are the corner of the defect that is nearest to the operator-side edge and to the beginning of the
    coil, in mm of strip. Watching takes nothing away from others: it joins no consumer group.
    """
    from rich.console import Console

    from consumers.watch import watch_as_json, watch_as_table
    from edge.configuration import load_settings
    from edge.telemetry.logging import configure_logging

    settings = load_settings(config, {"kafka.bootstrap_servers": bootstrap})
    configure_logging("warning", settings.log.format)
    kafka = settings.kafka
    if as_json:
        watching = watch_as_json(
            kafka, topic.value, sys.stdout.buffer, from_beginning=from_beginning, count=count
        )
    else:
        watching = watch_as_table(kafka, topic.value, Console(), from_beginning=from_beginning, count=count)
    asyncio.run(_run(watching))


async def _run(watching: Coroutine[Any, Any, None]) -> None:
    with stop_on_signals() as stop:
        await unless_stopped(stop, watching)
