"""``stripsight model convert``: weights from one of Detectron2's formats into another."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StoredAs(StrEnum):
    """What numbers are stored as."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Weights: .pth, .pkl or .safetensors; or a model folder, for its weights.", exists=True
        ),
    ],
    target: Annotated[
        Path, typer.Argument(help="Where to: a file with one of these suffixes.", dir_okay=False)
    ],
    precision: Annotated[
        StoredAs | None, typer.Option(help="Store numbers as these; default: as they are.")
    ] = None,
) -> None:
    """Convert weights. Nothing that a file contains is executed, and what is written is read back.

    The names of parameters stay Detectron2's, so that Detectron2 reads each of the three formats, and so does
    the native runtime. A .pkl is of the form of Detectron2's model zoo.
    """
    from rich.console import Console

    from edge.cli.model_figures import thousands
    from edge.errors import OutputError
    from edge.vision.model_folder import read_model_folder
    from edge.vision.native.convert import convert as convert_file

    weights = read_model_folder(source).weights_file if source.is_dir() else source
    try:
        summary = convert_file(weights, target, precision=precision.value if precision else None)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    Console().print(
        f"[bold]{target}[/]: {thousands(summary.values)} values in {summary.tensors} tensors, "
        f"{', '.join(summary.types)}, {summary.size_bytes / 2**20:.1f} MiB",
        highlight=False,
        soft_wrap=True,
    )
