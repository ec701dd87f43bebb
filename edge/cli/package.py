"""``stripsight package``: a model for servers that are not ours."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.model_options import RuntimeName, Threads

app = typer.Typer(name="package", help="Package a model for other servers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the name of the server in the command, although there is one alone."""


@app.command()
def torchserve(
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder with Detectron2's config.yaml and weights; default: the bundled model. `model.path`",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    runtime: Annotated[RuntimeName | None, typer.Option(help="What runs the model. `model.runtime`")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the archive: TorchServe's model store.", file_okay=False)
    ] = Path("models"),
    name: Annotated[str, typer.Option(help="How TorchServe calls the model.")] = "stripsight",
    batch_size: Annotated[int, typer.Option(help="Requests a batch at most.", min=1)] = 8,
    max_batch_delay_ms: Annotated[
        int, typer.Option(help="How long a batch waits for more after its first request.", min=0)
    ] = 20,
    workers: Annotated[int, typer.Option(help="Processes that hold the model each.", min=1)] = 1,
    device: Annotated[
        str | None, typer.Option(help="auto: TorchServe's choice; cpu, cuda:0, ... `model.device`")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16. `model.precision`")
    ] = None,
    threads: Threads = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="TOML file; default: stripsight.toml, if it is there."),
    ] = None,
) -> None:
    """Write a .mar for TorchServe: the model folder, and a handler on the daemon's own stages.

    The model is loaded and tried first. What is known of line and cameras goes into the archive, addresses
    and secrets do not. **TorchServe is archived upstream and gets no security patches**: for a mill, run the
    daemon (`stripsight run`), or `stripsight serve`.
    """
    from rich.console import Console

    from consumers.output import writing_into
    from edge.configuration import load_settings
    from edge.serving.torchserve.archive import Batching, build
    from edge.telemetry.logging import configure_logging

    flags = {
        "model.path": model,
        "model.runtime": runtime,
        "model.device": device,
        "model.precision": precision,
        "model.threads": threads,
    }
    settings = load_settings(config, flags)
    configure_logging("warning", settings.log.format)
    with Console(stderr=True).status("trying the model, and packing it ..."), writing_into(out):
        archive = build(settings, out, name=name, batching=Batching(batch_size, max_batch_delay_ms, workers))
    size = archive.file.stat().st_size / 2**20
    Console().print(
        f"[bold]{archive.file}[/]: {archive.model.name} {archive.model.version}, {size:.1f} MiB",
        highlight=False,
        soft_wrap=True,
    )
