"""``stripsight data synthesize``: a drawn strip as a data set to train on."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    frames: Annotated[int, typer.Option(help="Frames to draw, 1600x256 px each.", min=1)],
    out: Annotated[Path, typer.Option(help="Folder to write.", metavar="DIR", file_okay=False)],
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.", min=0)] = 1,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Make no class rare; as in Severstal's data by default.")
    ] = False,
    defect_rate: Annotated[
        float | None,
        typer.Option(help="Part of the frames that show defects; 0.53 by default.", min=0.0, max=1.0),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes that draw.", min=1)] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier synthetic strip in the folder.")
    ] = False,
) -> None:
    """Draw frames of synthetic strip into a folder of Severstal's format: train.csv and train_images.

    No frame depends on another one or on --jobs, so that a longer strip of the same seed begins with the
    shorter one. An interrupted run leaves no train.csv.
    """
    from consumers.pictures import counted
    from edge.cli.data_progress import progress_bar
    from edge.training.synthetic.strip import NATURAL_DEFECT_RATE
    from edge.training.synthetic.write import StripSettings, write_strip

    rate = NATURAL_DEFECT_RATE if defect_rate is None else defect_rate
    settings = StripSettings(frames, seed, balanced, rate)
    with progress_bar("drawing") as update:
        rows = write_strip(out, settings, jobs=jobs, overwrite=overwrite, progress=update)
    print(f"{counted(frames, 'frame')} with {counted(rows, 'mask')} in {out}")
