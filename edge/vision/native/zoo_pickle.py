"""Detectron2's model zoo files (``.pkl``): pickles, of which only arrays and plain values are admitted.

Unpickling calls whatever a pickle names. Here each name that NumPy's arrays need leads to a stand-in of ours,
which checks its arguments and makes the array from raw bytes; every other name is refused. So not even
NumPy's own restoring functions, written for states that they trust, see what the file says.
"""

import pickle
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edge.errors import ModelFileError

Array = npt.NDArray[Any]

# What torch has types for. Strings, records and Python objects are no weights.
ELEMENT_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")
BYTE_ORDERS = ("<", ">", "=", "|")
# The state of an array: version, shape, type, whether column-major, and its bytes.
ARRAY_STATE_ITEMS = 5


def read_zoo_pickle(file: Path) -> dict[str, Any]:
    """Read ``{"model": {name: array}, "__author__": ...}`` as tensors; what is no array stays as it is.

    Raises:
        ModelFileError: the file is unreadable, holds anything but dicts, lists, strings, numbers and arrays,
            or names its parameters otherwise than Detectron2 does.
    """
    try:
        with file.open("rb") as stream:
            # latin1 keeps the bytes of strings that Python 2 wrote.
            loaded = _Unpickler(stream, encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise anything
        reason = str(error) or type(error).__name__
        raise ModelFileError(f"{file}: refused, or cannot be read: {reason}") from error
    state = _zoo_state(loaded, file)
    return {str(name): _plain(value) for name, value in state.items()}


def _zoo_state(loaded: object, file: Path) -> dict[Any, Any]:
    if not isinstance(loaded, dict) or not loaded:
        raise ModelFileError(f"{file}: holds no state dict")
    if "model" not in loaded or "__author__" not in loaded:
        raise ModelFileError(
            f"{file}: is not in the format of Detectron2's model zoo (model, __author__), so its names are "
            "taken for Caffe2's, which are not read; load it in Detectron2 and save the model again"
        )
    if loaded.get("matching_heuristics"):
        raise ModelFileError(
            f"{file}: matching_heuristics is set: its names are not Detectron2's, and they are not guessed "
            "here; load it in Detectron2 and save the model again"
        )
    state = loaded["model"]
    if not isinstance(state, dict) or not state:
        raise ModelFileError(f"{file}: holds no state dict")
    return state


def _plain(value: Any) -> Any:
    return torch.from_numpy(value.value) if isinstance(value, _Array) else value


class _StandIn:
    """Base of all: classes, of which a pickle cannot set attributes as it can of functions."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("something has a state that should have none")


class _Type(_StandIn):
    """Stands in for ``numpy.dtype``; the byte order comes as its state."""

    __slots__ = ("dtype",)

    def __init__(self, code: object, *_: object) -> None:
        if code not in ELEMENT_TYPES:
            raise pickle.UnpicklingError(f"it holds an array of type {code!r:.40}")
        self.dtype = np.dtype(str(code))

    def __setstate__(self, state: object) -> None:
        # Version, byte order, then what only records and aligned types have.
        if not isinstance(state, tuple) or len(state) <= 1 or state[1] not in BYTE_ORDERS:
            raise pickle.UnpicklingError("an array's type has a state that is not understood")
        self.dtype = np.dtype(f"{state[1]}{self.dtype.kind}{self.dtype.itemsize}")


class _Array(_StandIn):
    """Stands in for ``numpy.ndarray``: empty until it gets a state; then in this machine's byte order."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Array = np.zeros(0, np.float32)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != ARRAY_STATE_ITEMS:
            raise pickle.UnpicklingError("an array has a state that is not understood")
        _, shape, kind, column_major, content = state
        self.value = _array(shape, kind, content, column_major=bool(column_major))


def _array(shape: object, kind: object, content: object, *, column_major: bool) -> Array:
    if isinstance(content, str):  # of Python 2
        content = content.encode("latin1")
    if not (isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)):
        raise pickle.UnpicklingError("an array has a shape that is none")
    if not (isinstance(kind, _Type) and isinstance(content, bytes | bytearray)):
        raise pickle.UnpicklingError("an array holds something else than numbers")
    dtype = kind.dtype
    if prod(shape) * dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"{len(content)} bytes are no array of {shape} {dtype}")
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if column_major else "C").astype(dtype.newbyteorder("="), order="C")


class _Reconstruct(_StandIn):
    """Stands in for ``numpy.core.multiarray._reconstruct``: makes the array that then gets its state."""

    __slots__ = ()

    def __new__(cls, *_: object) -> Any:
        return _Array()


class _FromBuffer(_StandIn):
    """Stands in for ``numpy.core.numeric._frombuffer``, by which protocol 5 makes arrays."""

    __slots__ = ()

    def __new__(cls, content: object, kind: object, shape: object, order: object) -> Any:
        array = _Array()
        array.__setstate__((1, shape, kind, order == "F", content))
        return array


class _Scalar(_StandIn):
    """Stands in for ``numpy.core.multiarray.scalar``."""

    __slots__ = ()

    def __new__(cls, kind: object, content: object) -> Any:
        return _array((), kind, content, column_major=False).item()


class _Encode(_StandIn):
    """Stands in for ``_codecs.encode``, by which Python 3 writes bytes into old protocols."""

    __slots__ = ()

    def __new__(cls, text: object, encoding: object) -> Any:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("it holds bytes that are not written as latin1")
        return text.encode("latin1")


class _NoBytes(_StandIn):
    """Stands in for ``bytes``, which old protocols call for empty ones."""

    __slots__ = ()

    def __new__(cls) -> Any:
        return b""


_STAND_INS: dict[tuple[str, str], type] = {
    ("collections", "OrderedDict"): dict,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _NoBytes,
}
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _Reconstruct
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _Scalar
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _FromBuffer


class _Unpickler(pickle.Unpickler):
    """Knows the stand-ins by their names, and nothing else."""

    def find_class(self, module: str, name: str) -> type:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            asked = f"{module}.{name}"
            raise pickle.UnpicklingError(f"it asks for {asked!r:.100}, and only arrays are admitted")
        return stand_in
