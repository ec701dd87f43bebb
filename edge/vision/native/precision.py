"""In which precision each part of the network computes; anchors, deltas, scores and boxes are float32 always.

Parts are cast as a whole, not operator by operator as autocast does it, which also casts weights every time.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edge.errors import SettingsError

AUTO = "auto"
FLOAT32 = "float32"
PRECISIONS = {FLOAT32: torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PARTS = ("backbone", "proposal_generator.rpn_head", "roi_heads.box_head", "roi_heads.mask_head")


def check_precision(precision: str) -> str:
    """Return the precision.

    Raises:
        SettingsError: it is none.
    """
    if precision not in {AUTO, *PRECISIONS}:
        raise SettingsError(f"precision: '{precision}' is unknown; allowed: {', '.join((AUTO, *PRECISIONS))}")
    return precision


def parts_of(model: nn.Module) -> list[str]:
    """Names of the parts that a model has."""
    names = {name for name, _ in model.named_modules()}
    return [name for name in PARTS if name in names]


def cast(part: nn.Module, precision: str) -> None:
    """Let a part compute in a precision: its weights get that type, and from now on whatever comes in."""
    dtype = PRECISIONS[precision]
    part.to(dtype)
    for module in part if isinstance(part, nn.ModuleList) else (part,):
        module.register_forward_pre_hook(partial(_cast_input, dtype))


def describe(precisions: Mapping[str, str]) -> str:
    """Say in a few words what the parts, by name, compute in."""
    lower = {precision for precision in precisions.values() if precision != FLOAT32}
    float32 = [name.rpartition(".")[2] for name, precision in precisions.items() if precision == FLOAT32]
    if lower and float32:
        return f"{', '.join(sorted(lower))}, but {FLOAT32} in {', '.join(float32)}"
    return ", ".join(sorted(lower)) or FLOAT32


def _cast_input(dtype: torch.dtype, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Cast what a part is called with: tensors, and lists of them."""
    return tuple(x.to(dtype) if isinstance(x, Tensor) else [level.to(dtype) for level in x] for x in args)
