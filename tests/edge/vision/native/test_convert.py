"""Weights from one format into another."""

import pickle
from itertools import product
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from edge.errors import ModelFileError
from edge.vision.native.checkpoint import read_state
from edge.vision.native.convert import convert, summarise

SUFFIXES = (".safetensors", ".pth", ".pkl")


class _Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Numbers of several types; two tensors share their memory, one is not contiguous."""
    shared = torch.rand(4)
    return {
        "conv.weight": torch.rand(2, 3, 1, 1).half(),
        "conv.bias": shared[:2],
        "fc.bias": shared[2:],
        "fc.weight": torch.rand(3, 2).t(),
        "bn.num_batches_tracked": torch.tensor(7),
    }


@pytest.fixture
def source(state: dict[str, Tensor], tmp_path: Path) -> Path:
    """As Detectron2's trainer leaves it."""
    file = tmp_path / "model_final.pth"
    torch.save({"model": state, "iteration": 7}, file)
    return file


@pytest.mark.parametrize(("first", "second"), list(product(SUFFIXES, SUFFIXES)))
def test_every_format_leads_to_every_other(
    source: Path, state: dict[str, Tensor], tmp_path: Path, first: str, second: str
) -> None:
    """Names, types and values survive, to the bit."""
    between, target = tmp_path / f"between{first}", tmp_path / f"target{second}"

    convert(source, between)
    summary = convert(between, target)

    read = read_state(target)
    assert read.keys() == state.keys()
    assert all(read[name].dtype == value.dtype for name, value in state.items())
    assert all(torch.equal(read[name], value) for name, value in state.items())
    assert (summary.tensors, summary.values) == (5, 17)
    assert summary.size_bytes == target.stat().st_size


def test_numbers_can_be_stored_smaller(source: Path, tmp_path: Path) -> None:
    """Those with a fraction; counters stay what they are."""
    target = tmp_path / "small.safetensors"

    summary = convert(source, target, precision="bfloat16")

    assert summary.types == ("bfloat16", "int64")
    assert read_state(target)["bn.num_batches_tracked"].dtype == torch.int64


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Beyond float16's range a value would become infinite: the name is told, nothing is written."""
    source, target = tmp_path / "a.safetensors", tmp_path / "b.pth"
    safetensors.torch.save_file({"w": torch.tensor([1e6])}, source)
    with pytest.raises(ModelFileError, match="w: has values that do not fit into float16"):
        convert(source, target, precision="float16")
    assert not target.exists()


def test_a_pickle_of_bfloat16_is_refused(tmp_path: Path) -> None:
    """NumPy has no such type; the message says what to do."""
    source = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"w": torch.ones(1, dtype=torch.bfloat16)}, source)
    with pytest.raises(ModelFileError, match="convert to float32 or float16"):
        convert(source, tmp_path / "b.pkl")


def test_an_unknown_format_is_refused(source: Path, tmp_path: Path) -> None:
    """Before anything is read; the message lists those that are written."""
    with pytest.raises(
        ModelFileError, match=r"'\.onnx' is not written; allowed: \.safetensors, \.pth, \.pkl"
    ):
        convert(source, tmp_path / "model.onnx")


@pytest.mark.parametrize("suffix", [".pth", ".pkl"])
def test_nothing_of_a_file_is_executed(tmp_path: Path, suffix: str) -> None:
    """A pickle that would run code is refused, and what was at the target stays."""
    source, target = tmp_path / f"evil{suffix}", tmp_path / "model.safetensors"
    source.write_bytes(pickle.dumps({"model": {"w": _Evil()}, "__author__": "x"}))
    target.write_bytes(b"as it was")
    with pytest.raises(ModelFileError, match="refused"):
        convert(source, target)
    assert target.read_bytes() == b"as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, target.name]


def test_a_full_disk_leaves_the_target_as_it_was(source: Path, tmp_path: Path) -> None:
    """A folder that is not there stands for it: the target is replaced in one step or not at all."""
    with pytest.raises(OSError, match="No such file"):
        convert(source, tmp_path / "nowhere" / "model.pth")


def test_a_summary_counts_what_a_file_holds(source: Path) -> None:
    """Tensors, values, types by how many values have them."""
    summary = summarise(source)
    assert (summary.tensors, summary.values, summary.types) == (5, 17, ("float32", "float16", "int64"))
