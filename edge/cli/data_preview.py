"""``stripsight data preview``: labelled frames to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.data_options import LabelledSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.training.dataset import Dataset, LabelledFrame

_PICTURES = {".png", ".jpg", ".jpeg"}


def preview(
    data: LabelledSet,
    out: Annotated[
        Path,
        typer.Option(
            help="A .png or .jpg for one sheet of all frames; else a folder, for a picture of each.",
            metavar="FILE_OR_DIR",
        ),
    ],
    frames: Annotated[int, typer.Option(help="Frames to show.", min=1)] = 16,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Only frames that show this class.", metavar="NAME")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed shows other frames.", min=0)] = 1,
) -> None:
    """Draw labelled frames with their masks: every class in turn, and clean ones."""
    from rich.console import Console
    from rich.text import Text

    from consumers.pictures import counted
    from edge.training.data import open_dataset
    from edge.training.data.preview import choose_frames, class_id_of

    dataset = open_dataset(data)
    class_id = None if class_name is None else class_id_of(dataset, class_name)
    chosen = choose_frames(dataset, frames, class_id, seed)
    if out.suffix.lower() in _PICTURES:
        _write_sheet(dataset, chosen, out)
    else:
        _write_pictures(dataset, chosen, out)
    message = f"{len(chosen):,} of {counted(len(dataset.frames), 'frame')} in {out}"
    Console(stderr=True).print(Text(message), soft_wrap=True)


def _write_sheet(dataset: "Dataset", frames: "Sequence[LabelledFrame]", out: Path) -> None:
    from PIL import Image

    from consumers.output import writing_into
    from edge.cli.contact_sheet import contact_sheet

    sheet = Image.fromarray(contact_sheet(dataset, frames))
    with writing_into(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, quality=92)


def _write_pictures(dataset: "Dataset", frames: "Sequence[LabelledFrame]", out: Path) -> None:
    from consumers.output import writing_into
    from consumers.pictures import Caption, Scale, Scene, counted, draw, encode_jpeg
    from edge.cli.contact_sheet import marks_of

    for frame in frames:
        caption = Caption(frame.name, (counted(len(frame.instances), "defect"),), (dataset.name,))
        picture = draw(frame.read_picture(), Scene(marks_of(dataset, frame), Scale(), caption))
        with writing_into(out):
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{Path(frame.name).stem}.labelled.jpg").write_bytes(encode_jpeg(picture))
