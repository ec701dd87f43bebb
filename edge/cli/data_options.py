"""What the commands on labelled sets have in common on the command line."""

from pathlib import Path
from typing import Annotated

import typer

LabelledSet = Annotated[
    Path,
    typer.Argument(help="Folder with train.csv or a COCO json, or such a file.", metavar="DATA", exists=True),
]
