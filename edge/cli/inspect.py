"""``stripsight inspect``: the model on files, without Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.model_options import RuntimeName

SOME_IMAGES_FAILED = 1  # exit code


def inspect(
    images: Annotated[
        list[str],
        typer.Argument(help="JPEG and PNG files, folders or globs of them.", metavar="IMAGE_OR_DIR..."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder with Detectron2's config.yaml and weights; default: the bundled model. `model.path`",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    runtime_name: Annotated[
        RuntimeName | None, typer.Option("--runtime", help="What runs the model. `model.runtime`")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for annotated pictures.", metavar="DIR", file_okay=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line an image on standard output, instead of a table.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="TOML file; default: stripsight.toml, if it is there."),
    ] = None,
) -> None:
    """Inspect image files with the model, and show what it finds.

    JSON lines carry boxes in pixels (x0, y0, x1, y1), scores, classes and masks as COCO's uncompressed
    run lengths, cropped to x, y, width, height. An image that cannot be read is reported, the others go on,
    and the exit code is 1.
    """
    from rich.console import Console

    from edge.cli.inspection import FileInspection
    from edge.cli.inspection_report import Report
    from edge.configuration import load_settings
    from edge.telemetry.logging import configure_logging
    from producers.images import find_images

    settings = load_settings(config, {"model.path": model, "model.runtime": runtime_name})
    configure_logging("warning", settings.log.format)
    paths = [path for place in images for path in find_images(place)]
    with Console(stderr=True).status("loading the model ..."):
        from edge.daemon import load_model

        runtime = load_model(settings.model)
    report = Report(runtime, as_json=as_json, pictures=out)
    with report.progress(len(paths)):
        for file in FileInspection(runtime, settings.pipeline).run(paths):
            report.add(file)
    report.finish()
    if report.failed:
        raise typer.Exit(SOME_IMAGES_FAILED)
