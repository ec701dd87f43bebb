"""``stripsight model compare``: two models, or one in two runtimes, on the same frames."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.model_options import Device, RuntimeName, Threads
from edge.errors import SettingsError


def compare(
    first: Annotated[Path, typer.Argument(help="Model folder.", metavar="A", exists=True, file_okay=False)],
    second: Annotated[Path, typer.Argument(help="Model folder.", metavar="B", exists=True, file_okay=False)],
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled frames: a folder of Severstal's format, or COCO json.", exists=True),
    ] = None,
    synthetic: Annotated[
        int | None, typer.Option(help="Instead of --data: frames of strip to draw.", metavar="N", min=1)
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="Instead of --data: files without labels; a folder or glob.", metavar="PLACE"),
    ] = None,
    frames: Annotated[int | None, typer.Option(help="The first so many alone.", metavar="N", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of the synthetic strip.", min=0)] = 42,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures of the frames that differ.", metavar="DIR", file_okay=False),
    ] = None,
    pictures: Annotated[int, typer.Option(help="How many pictures: those that differ most.", min=1)] = 20,
    runtime_a: Annotated[RuntimeName, typer.Option(help="What runs A.")] = RuntimeName.native,
    runtime_b: Annotated[RuntimeName, typer.Option(help="What runs B.")] = RuntimeName.native,
    precision_a: Annotated[str, typer.Option(help="Of A's convolutions.")] = "float32",
    precision_b: Annotated[str, typer.Option(help="Of B's convolutions.")] = "float32",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Compare two models: what one finds and the other does not, their speed, and with labels their figures.

    Both look at each frame in turn, so that whatever else the machine does meets both; speed is told as the
    ratio of their times. Detections count above each model's own thresholds.
    """
    if sum(given is not None for given in (data, synthetic, images)) != 1:
        raise SettingsError("one of --data, --synthetic and --images is needed, and no more")

    from consumers.output import writing_into
    from edge.cli.evaluation import Engine
    from edge.cli.model_comparison import compare_on, labelled_frames, unlabelled_frames
    from edge.cli.model_comparison_page import print_comparison, write_pictures
    from edge.training.evaluation.labelled import drawn, from_files

    if out is not None:
        with writing_into(out):  # before the models run for an hour
            out.mkdir(parents=True, exist_ok=True)
    if images is not None:
        source = unlabelled_frames(images, frames)
    else:
        labelled = from_files(data) if data else drawn(synthetic or 0, seed=seed, balanced=True)
        source = labelled_frames(labelled, frames)
    comparison = compare_on(
        source,
        Engine(first, runtime_a, device, precision_a, threads),
        Engine(second, runtime_b, device, precision_b, threads),
    )
    if out is not None:
        with writing_into(out):
            write_pictures(comparison, out, most=pictures)
    print_comparison(comparison, out)
