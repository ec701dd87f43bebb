"""``stripsight data split``: folds for cross-validation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.data_options import LabelledSet

if TYPE_CHECKING:
    from rich.table import Table

    from edge.training.data.split import Split
    from edge.training.dataset import Dataset


def split(
    data: LabelledSet,
    out: Annotated[Path, typer.Option(help="File to write.", metavar="FILE", dir_okay=False)],
    folds: Annotated[int, typer.Option(help="Parts to split the set into.", min=2)] = 5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same folds.", min=0)] = 1,
) -> None:
    """Split a labelled set into folds with the same classes, for `train` and `evaluate`.

    Frames that show the same steel, copies as well as windows that overlap, come into one fold. The file is
    JSON: the fold of each frame by its name, and the frames that were kept together.
    """
    import sys

    from rich.console import Console

    from edge.cli.data_progress import progress_bar
    from edge.training.data import open_dataset
    from edge.training.data.split import make_split, write_split

    dataset = open_dataset(data)
    with progress_bar("comparing") as update:
        made = make_split(dataset, folds, seed, update)
    write_split(out, made)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(_table(dataset, made))
    Console(stderr=True).print(_kept_together(made), soft_wrap=True)


def _kept_together(split: "Split") -> str:
    from consumers.pictures import counted

    groups = len(split.same_steel)
    frames = sum(map(len, split.same_steel))
    if not frames:
        return "no two frames show the same steel"
    together = f"{frames:,} frames show the same steel as another one; they are kept together"
    return f"{together}, in {counted(groups, 'group')}"


def _table(dataset: "Dataset", split: "Split") -> "Table":
    """Frames of each fold: all, clean ones, and those with each class."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from consumers.palette import style_of_class

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("fold", "frames", "clean"):
        table.add_column(name, justify="right")
    for class_id, name in enumerate(dataset.class_names):
        table.add_column(Text(name), justify="right", style=style_of_class(class_id))
    for fold in range(split.folds):
        shown = [frame.class_ids for frame in dataset.frames if split.frames[frame.name] == fold]
        by_class = [sum(class_id in ids for ids in shown) for class_id in range(len(dataset.class_names))]
        cells = [fold, len(shown), sum(not ids for ids in shown), *by_class]
        table.add_row(*(f"{cell:,}" for cell in cells))
    return table
