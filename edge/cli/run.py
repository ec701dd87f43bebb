"""``stripsight run``: the daemon."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.until_signal import run_until_signal
from edge.settings import Settings

Flag = typer.Option


def run(
    config: Annotated[
        Path | None, Flag("--config", "-c", help="TOML file; default: stripsight.toml, if it is there.")
    ] = None,
    bootstrap: Annotated[
        str | None, Flag(help="Kafka's address, host:port. `kafka.bootstrap_servers`")
    ] = None,
    group: Annotated[str | None, Flag(help="Consumer group. `kafka.group_id`")] = None,
    topic: Annotated[
        list[str] | None, Flag(help="Frame topic, may be repeated. `kafka.frame_topics`")
    ] = None,
    model: Annotated[Path | None, Flag(help="Folder with config.yaml and weights. `model.path`")] = None,
    runtime: Annotated[str | None, Flag(help="native or fake. `model.runtime`")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu, cuda, cuda:1 ... `model.device`")] = None,
    max_batch: Annotated[int | None, Flag(help="Frames a batch at most. `pipeline.max_batch`")] = None,
    max_wait_ms: Annotated[
        float | None, Flag(help="How long a batch waits for more. `pipeline.max_wait_ms`")
    ] = None,
    http_host: Annotated[str | None, Flag(help="Address to listen on. `http.host`")] = None,
    http_port: Annotated[int | None, Flag(help="Port of metrics and health. `http.port`")] = None,
    log_level: Annotated[str | None, Flag(help="debug, info, warning, error. `log.level`")] = None,
    log_format: Annotated[str | None, Flag(help="auto, console, json. `log.format`")] = None,
) -> None:
    """Run the daemon against a Kafka: frames in, defects and inspections out.

    Flags win over the environment (`STRIPSIGHT_KAFKA__GROUP_ID`), which wins over the TOML file.
    `stripsight config show` prints what counts in the end. Ctrl-C or SIGTERM stops intake, finishes
    what is in flight, commits and ends; a second one ends at once. SIGHUP loads the model anew, beside
    the one that serves.
    """
    from edge.configuration import load_settings

    flags = {
        "kafka.bootstrap_servers": bootstrap,
        "kafka.group_id": group,
        "kafka.frame_topics": topic or None,
        "model.path": model,
        "model.runtime": runtime,
        "model.device": device,
        "pipeline.max_batch": max_batch,
        "pipeline.max_wait_ms": max_wait_ms,
        "http.host": http_host,
        "http.port": http_port,
        "log.level": log_level,
        "log.format": log_format,
    }
    serve(load_settings(config, flags))


def serve(settings: Settings) -> None:
    """Run the daemon until a signal comes.

    Raises:
        StripsightError: what the operator can mend.
        typer.Exit: the daemon failed otherwise.
    """
    from edge.daemon import Daemon

    run_until_signal(settings.log, lambda: Daemon(settings))
