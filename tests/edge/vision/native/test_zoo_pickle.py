"""Files of Detectron2's model zoo: arrays are read, and nothing is ever executed."""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import hypothesis.extra.numpy as some
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelFileError
from edge.vision.native.checkpoint import read_weights
from edge.vision.native.runtime import NativeRuntime
from edge.vision.native.zoo_pickle import ELEMENT_TYPES, _Unpickler, read_zoo_pickle

AUTHOR = {"__author__": "Detectron2 Model Zoo"}
ORDERS = ("<", ">")

# {"model": {"w": array([[0, 1, 2], [3, 4, 5]], "<f4")}, "__author__": "zoo"} as Python 2 wrote it.
PYTHON_2 = (
    b"\x80\x02}(U\x05model}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    b"K\x00tb\x89U\x18" + np.arange(6, dtype="<f4").tobytes() + b"tbsU\n__author__U\x03zoou."
)


class _Call:
    """Is pickled as a call, with a state if there is one."""

    def __init__(self, function: object, arguments: tuple[object, ...], *state: object) -> None:
        self._reduced = (function, arguments, *state)

    def __reduce__(self) -> tuple[object, ...]:
        return self._reduced


RECONSTRUCT = np.zeros(1).__reduce__()[0]
DTYPE = np.dtype(np.float32)


def _zoo(content: object, protocol: int = 4) -> bytes:
    return pickle.dumps({"model": {"w": content}, **AUTHOR}, protocol)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    """A ``.pkl`` with this content."""

    def write(content: bytes) -> Path:
        file = tmp_path / "model_final.pkl"
        file.write_bytes(content)
        return file

    return write


def _unpickled(content: bytes) -> object:
    return _Unpickler(io.BytesIO(content), encoding="latin1").load()["model"]["w"]


@given(
    array=st.sampled_from(ELEMENT_TYPES)
    .flatmap(lambda code: st.sampled_from([f"{order}{code}" for order in ORDERS]))
    .flatmap(lambda code: some.arrays(np.dtype(code), some.array_shapes(min_dims=0, max_dims=4, min_side=0))),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    column_major=st.booleans(),
    old=st.booleans(),
)
def test_every_array_comes_back(array: np.ndarray, protocol: int, column_major: bool, old: bool) -> None:
    """Whatever the protocol, the byte order, the order of the axes and NumPy's age."""
    array = np.asfortranarray(array) if column_major else array
    content = _zoo(array, protocol)
    if old and protocol < 4:  # later ones count the bytes of names
        content = content.replace(b"numpy._core", b"numpy.core")
    restored = _unpickled(content).value  # type: ignore[attr-defined] # the stand-in
    np.testing.assert_array_equal(restored, array)
    assert restored.dtype == array.dtype.newbyteorder("=")
    assert restored.shape == array.shape


def test_what_python_2_wrote_is_read(write: Callable[[bytes], Path]) -> None:
    """Its strings are bytes, and NumPy's modules had their old names."""
    weights = read_weights(write(PYTHON_2))
    assert weights["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_plain_values_around_the_weights_are_passed_over(write: Callable[[bytes], Path]) -> None:
    """Lists, numbers, NumPy's among them, strings, and an ordered dict for a dict."""
    content = {
        "model": OrderedDict(w=np.ones(2, np.float16)),
        "__author__": "Detectron2 Model Zoo",
        "matching_heuristics": False,
        "history": [1, 2.5, None, True, "text", b"bytes", np.float64(0.5), (np.int64(3),)],
    }
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        weights = read_weights(write(pickle.dumps(content, protocol)))
        torch.testing.assert_close(weights, {"w": torch.ones(2)})


def test_a_model_folder_with_a_zoo_file_is_served(
    model_folder: Callable[..., Path], frame: Callable[..., np.ndarray]
) -> None:
    """The same weights give the same answers from a .pth and from a .pkl."""
    folder = model_folder()
    (expected,) = NativeRuntime(folder, device="cpu", score_threshold=0.0).infer([frame(64, 96)])
    weights = read_weights(folder / "model.pth")
    (folder / "model.pth").unlink()
    arrays = {name: value.numpy() for name, value in weights.items()}
    (folder / "model.pkl").write_bytes(pickle.dumps({"model": arrays, **AUTHOR}))
    (found,) = NativeRuntime(folder, device="cpu", score_threshold=0.0).infer([frame(64, 96)])
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    assert found.masks == expected.masks


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"blobs": {"conv1_w": np.ones(1)}}, "taken for Caffe2's"),
        ({"conv1_w": np.ones(1)}, "taken for Caffe2's"),
        (
            {
                "model": {"stem.conv1.weight": np.ones(1)},
                "__author__": "torchvision",
                "matching_heuristics": True,
            },
            "matching_heuristics is set",
        ),
        ({"model": {}, "__author__": "zoo"}, "holds no state dict"),
        ({"model": [np.ones(1)], "__author__": "zoo"}, "holds no state dict"),
        ([np.ones(1)], "holds no state dict"),
        ({"model": {"w": "text"}, "__author__": "zoo"}, "w is a str, not a tensor"),
        ({"model": {"w": np.array([np.nan])}, "__author__": "zoo"}, "w holds values that are not finite"),
    ],
)
def test_weights_of_other_names_are_refused(
    write: Callable[[bytes], Path], content: object, complaint: str
) -> None:
    """Names are not guessed, and the message says what to do."""
    with pytest.raises(ModelFileError, match=rf"model_final\.pkl: .*{complaint}"):
        read_weights(write(pickle.dumps(content)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("hostile", "asked"),
    [
        (_Call(exec, ("raise SystemExit('executed')",)), "builtins.exec"),
        (_Call(getattr, ("text", "format")), "builtins.getattr"),
        (_Call(np.save, ("executed", [1])), "numpy.save"),
        (_Call(torch.load, ("model.pth",)), "torch.serialization.load"),
        (torch.ones(1), "torch._utils._rebuild_tensor_v2"),
        (Path("executed"), "pathlib.PosixPath"),
        (1j, "builtins.complex"),
    ],
)
def test_whatever_else_is_asked_for_is_refused_by_its_name(
    write: Callable[[bytes], Path], hostile: object, asked: str, protocol: int
) -> None:
    """A pickle that wants to call anything."""
    asked = asked.replace("builtins", "__builtin__") if protocol < 3 else asked
    with pytest.raises(ModelFileError, match=rf"model_final\.pkl: refused.*'{asked}'"):
        read_weights(write(_zoo(hostile, protocol)))


@given(module=st.text("abcdefgh._", min_size=1), name=st.text("abcdefgh._", min_size=1))
def test_no_name_but_the_known_ones_is_looked_up(module: str, name: str) -> None:
    """Whether there is such a module or not: it is not imported to find out."""
    with pytest.raises(pickle.UnpicklingError, match="only arrays are admitted"):
        _Unpickler(io.BytesIO(f"c{module}\n{name}\n.".encode())).load()


@pytest.mark.parametrize(
    "hostile",
    [
        np.array([print], object),
        np.array(["text"]),
        np.zeros(1, [("x", np.float32)]),
        np.array(["2026-01-01"], "M8[D]"),
        np.ones(1, np.complex64),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (9,), DTYPE, False, b"\0\0\0\0")),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (2**62, 4), DTYPE, False, b"")),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (-1,), DTYPE, False, b"\0\0\0\0")),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, 1, DTYPE, False, b"\0\0\0\0")),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (1,), "f4", False, b"\0\0\0\0")),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (1,), DTYPE, False, [1.0])),
        _Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (1,))),
        _Call(np.ndarray, ((2**40,),)),
        _Call(np.dtype, ("f4",), (3, "<<<")),
        _Call(np.dtype, ("f4",), 3),
        _Call(np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 63)),
    ],
    ids=str,
)
def test_arrays_that_are_none_are_refused(write: Callable[[bytes], Path], hostile: object) -> None:
    """Objects in arrays, shapes that the bytes do not fill, states that NumPy would trust."""
    with pytest.raises(ModelFileError, match=r"model_final\.pkl: refused"):
        read_weights(write(_zoo(hostile)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02Pelsewhere\n.",  # a persistent id
        b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",  # a state for the stand-in itself
        b"\x80\x02cnumpy\nndarray\nN}U\x01aK\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\nN}U\x01aK\x01s\x86b.",
        b"\x80\x02ccollections\nOrderedDict\nN}U\x01aK\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.",
        b"\x80\x02cnumpy\ndtype\n)\x81.",
        b"\x80\x02c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.",
    ],
)
def test_what_is_no_pickle_of_arrays_is_refused(write: Callable[[bytes], Path], content: bytes) -> None:
    """Damaged files, and instructions that are not needed."""
    with pytest.raises(ModelFileError, match=r"model_final\.pkl"):
        read_zoo_pickle(write(content))


@given(length=st.integers(0, len(PYTHON_2) - 1))
def test_a_truncated_file_gives_nothing(length: int) -> None:
    """A copy that broke off."""
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        _unpickled(PYTHON_2[:length])
