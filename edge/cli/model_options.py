"""Options that commands which run a model have in common."""

from enum import StrEnum
from typing import Annotated

import typer


class RuntimeName(StrEnum):
    """What can run a model."""

    native = "native"
    onnx = "onnx"
    openvino = "openvino"
    detectron2 = "detectron2"


Runtime = Annotated[RuntimeName, typer.Option(help="What runs the model.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Precision = Annotated[str, typer.Option(help="Of backbone and heads: float32, bfloat16, float16 or auto.")]
Threads = Annotated[
    int | None, typer.Option(help="CPU threads of the model; default: PyTorch's choice.", min=1)
]
