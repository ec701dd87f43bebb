"""Weights from one of Detectron2's formats into another; nothing that a file contains is executed."""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from edge.errors import ModelFileError
from edge.vision.native.checkpoint import read_state

State = Mapping[str, Tensor]

AUTHOR = "stripsight"
"""What a model zoo's pickle needs to be taken for one of Detectron2's, and not of Caffe2's."""

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_WITHOUT_BFLOAT16 = ".pkl"  # it holds NumPy's arrays, and NumPy has no such type


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file of weights holds: ``types`` by name in PyTorch, the most frequent first."""

    tensors: int
    values: int
    types: tuple[str, ...]
    size_bytes: int


def summarise(file: Path) -> Summary:
    """Count what a file of weights holds.

    Raises:
        ModelFileError: it cannot be read.
    """
    return _summary(read_state(file), file)


def convert(source: Path, target: Path, *, precision: str | None = None) -> Summary:
    """Write weights in the format that the target's suffix names, and read them back.

    Args:
        source: weights that ``read_state`` reads.
        target: ``.safetensors``, ``.pth`` or ``.pkl``; replaced in one step.
        precision: of the numbers with a fraction: ``float32``, ``float16`` or ``bfloat16``; None for as they
            are.

    Raises:
        ModelFileError: the source cannot be read, the target's format is none of the three or cannot hold
            such numbers, or a value does not fit into the precision.
        OSError: the target cannot be written.
    """
    encode = _ENCODERS.get(target.suffix)
    if encode is None:
        raise ModelFileError(f"{target}: '{target.suffix}' is not written; allowed: {', '.join(_ENCODERS)}")
    state = {name: _cast(name, value, precision) for name, value in read_state(source).items()}
    _refuse_bfloat16(state, target)
    unfinished = target.with_name(f".{target.stem}.unfinished{target.suffix}")
    try:
        unfinished.write_bytes(encode(state))
        _check_same(state, read_state(unfinished), target)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return _summary(state, target)


def _cast(name: str, value: Tensor, precision: str | None) -> Tensor:
    value = value.detach().cpu().contiguous()
    if precision is None or not value.is_floating_point():
        return value
    cast = value.to(PRECISIONS[precision])
    if not cast.isfinite().all():
        raise ModelFileError(f"{name}: has values that do not fit into {precision}")
    return cast


def _refuse_bfloat16(state: State, target: Path) -> None:
    names = [name for name, value in state.items() if value.dtype == torch.bfloat16]
    if names and target.suffix == _WITHOUT_BFLOAT16:
        raise ModelFileError(
            f"{target}: {names[0]} is bfloat16, which a .pkl cannot hold; convert to float32 or float16"
        )


def _check_same(written: State, read: State, target: Path) -> None:
    """A file that does not read as it was written is of no use to anybody."""
    different = [name for name, value in written.items() if not _equal(value, read.get(name))]
    if different or written.keys() != read.keys():
        raise ModelFileError(f"{target}: does not read as it was written: {', '.join(different[:8])}")


def _equal(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and one.dtype == other.dtype and torch.equal(one, other)


def _safetensors(state: State) -> bytes:
    # Tensors that share memory are refused by the format: each gets its own.
    return safetensors.torch.save({name: value.clone() for name, value in state.items()}, {"format": "pt"})


def _pth(state: State) -> bytes:
    """As Detectron2's checkpointer writes it."""
    file = io.BytesIO()
    torch.save({"model": dict(state)}, file)
    return file.getvalue()


def _pkl(state: State) -> bytes:
    """As Detectron2's model zoo has it: arrays of NumPy."""
    arrays = {name: value.numpy() for name, value in state.items()}
    return pickle.dumps({"model": arrays, "__author__": AUTHOR})


_ENCODERS: dict[str, Callable[[State], bytes]] = {".safetensors": _safetensors, ".pth": _pth, ".pkl": _pkl}


def _summary(state: State, file: Path) -> Summary:
    values: dict[str, int] = {}
    for value in state.values():
        name = str(value.dtype).removeprefix("torch.")
        values[name] = values.get(name, 0) + value.numel()
    return Summary(
        tensors=len(state),
        values=sum(values.values()),
        types=tuple(sorted(values, key=lambda name: -values[name])),
        size_bytes=file.stat().st_size,
    )
