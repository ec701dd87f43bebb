"""``stripsight submit``: a submission file for Kaggle's Severstal competition."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.model_options import Device, Precision, Runtime, RuntimeName, Threads


def submit(
    model: Annotated[
        Path,
        typer.Option(help="Folder with Detectron2's config.yaml and weights.", exists=True, file_okay=False),
    ],
    images: Annotated[str, typer.Option(help="Folder or glob of the test images.", metavar="DIR")],
    out: Annotated[Path, typer.Option(help="CSV file to write.", metavar="FILE", dir_okay=False)],
    joined_ids: Annotated[
        bool,
        typer.Option("--joined-ids", help="The form of 2019: ImageId_ClassId,EncodedPixels."),
    ] = False,
    runtime: Runtime = RuntimeName.native,
    device: Device = "auto",
    precision: Precision = "float32",
    threads: Threads = None,
) -> None:
    """Inspect images and write ImageId,EncodedPixels,ClassId: a row for each image and class.

    EncodedPixels is the union of the class's masks above the model's threshold, and empty where nothing was
    found. Images come sorted by name.
    """
    from edge.cli.evaluation import Engine, submission_rows
    from edge.training.evaluation.submission import write_submission
    from producers.images import find_images

    paths = sorted(find_images(images), key=lambda path: path.name)
    engine = Engine(model, runtime, device, precision, threads)
    masks = write_submission(out, submission_rows(engine, paths), joined_ids=joined_ids)
    print(f"{len(paths)} images, {masks} masks in {out}")
