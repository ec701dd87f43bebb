"""``stripsight demo``: the whole line in one command."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from edge.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from edge.daemon import Daemon
    from edge.demo.options import DemoOptions
    from edge.demo.session import DemoSession

Option = typer.Option


def demo(
    source: Annotated[
        str | None,
        Option(
            help="Folder or glob of JPEG and PNG images, instead of the synthetic strip.",
            metavar="DIR_OR_GLOB",
        ),
    ] = None,
    cameras: Annotated[int, Option(help="Number of cameras.", min=1, max=64)] = 2,
    rate: Annotated[
        float, Option(help="Frames a second of each camera, as long as the daemon keeps up.", min=0.01)
    ] = 5.0,
    frames: Annotated[
        int | None, Option(help="Frames in all, over all cameras; default: until Ctrl-C.", min=1)
    ] = None,
    out: Annotated[
        Path | None,
        Option(help="Folder for annotated pictures, defects.jsonl and inspections.jsonl.", file_okay=False),
    ] = None,
    port: Annotated[
        int, Option(help="HTTP port of metrics and health; 0 takes any.", min=0, max=65535)
    ] = 9108,
    seed: Annotated[int, Option(help="Seed of the synthetic strip: the same seed, the same strip.")] = 1,
    model: Annotated[
        Path | None, Option(help="Model folder; default: the bundled model.", exists=True, file_okay=False)
    ] = None,
    ui: Annotated[bool, Option("--ui/--no-ui", help="Live view, or log lines.")] = True,
) -> None:
    """Watch a strip being inspected: broker, cameras, daemon and model in one command.

    An embedded broker speaks Kafka's protocol, cameras publish frames to it, and the daemon publishes what it
    finds. Ctrl-C stops the cameras, lets the daemon finish and prints the account, which must close:
    frames published = inspected + skipped + failed. The exit code is 0 only then.
    """
    from edge.demo.options import DemoOptions
    from edge.settings import ModelSettings

    options = DemoOptions(
        source=source,
        cameras=cameras,
        rate=rate,
        frames=frames,
        out=out,
        port=port,
        seed=seed,
        model=ModelSettings(path=model),
    )
    closed = asyncio.run(_run(options, ui=ui))
    raise typer.Exit(0 if closed else 1)


async def _run(options: "DemoOptions", *, ui: bool) -> bool:
    from edge.demo.session import DemoSession
    from edge.demo.view import summary
    from edge.telemetry.logging import configure_logging

    # The live view has the terminal to itself; only what goes wrong is said beside it.
    configure_logging("error" if ui else "info")
    console = Console()
    session = DemoSession(options)
    with stop_on_signals() as stop:
        if ui:
            await _run_with_view(session, stop, console)
        else:
            await session.run(stop, on_ready=lambda daemon: console.print(f"ready, {daemon.http_url}"))
    console.print(summary(session.account))
    return session.account.is_closed


async def _run_with_view(session: "DemoSession", stop: asyncio.Event, console: Console) -> None:
    from rich.live import Live

    from edge.demo.view import Scene, View

    with Live(Text("starting broker, model and cameras ...", style="dim"), console=console) as live:

        def show(daemon: "Daemon") -> None:
            live.update(View(session.account, Scene.of(daemon), console))

        await session.run(stop, on_ready=show)
