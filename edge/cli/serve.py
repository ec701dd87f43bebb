"""``stripsight serve``: the model over HTTP, without Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.until_signal import run_until_signal

Flag = typer.Option


def serve(
    config: Annotated[
        Path | None, Flag("--config", "-c", help="TOML file; default: stripsight.toml, if it is there.")
    ] = None,
    model: Annotated[Path | None, Flag(help="Folder with config.yaml and weights. `model.path`")] = None,
    runtime: Annotated[str | None, Flag(help="What runs the model. `model.runtime`")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu, cuda, cuda:1 ... `model.device`")] = None,
    max_batch: Annotated[int | None, Flag(help="Images a batch at most. `pipeline.max_batch`")] = None,
    max_wait_ms: Annotated[
        float | None, Flag(help="How long a batch waits for more. `pipeline.max_wait_ms`")
    ] = None,
    max_images: Annotated[int | None, Flag(help="Images of a request at most. `serve.max_images`")] = None,
    http_host: Annotated[str | None, Flag(help="Address to listen on. `http.host`")] = None,
    http_port: Annotated[int | None, Flag(help="Port of images, metrics and health. `http.port`")] = None,
    log_level: Annotated[str | None, Flag(help="debug, info, warning, error. `log.level`")] = None,
    log_format: Annotated[str | None, Flag(help="auto, console, json. `log.format`")] = None,
) -> None:
    """Inspect images that come over HTTP: `POST /v1/inspect`, described at `/openapi.json`.

    The model, its batches, metrics, health and the exchange of the model are the daemon's. It listens on this
    machine alone unless `--http-host` says otherwise; with `http.token`, clients have to show it. Ctrl-C or
    SIGTERM answers what is in hand, and ends; SIGHUP loads the model anew, beside the one that serves.
    """
    from edge.configuration import load_settings
    from edge.serving.service import Service

    flags = {
        "model.path": model,
        "model.runtime": runtime,
        "model.device": device,
        "pipeline.max_batch": max_batch,
        "pipeline.max_wait_ms": max_wait_ms,
        "serve.max_images": max_images,
        "http.host": http_host,
        "http.port": http_port,
        "log.level": log_level,
        "log.format": log_format,
    }
    settings = load_settings(config, flags)
    run_until_signal(settings.log, lambda: Service(settings))
