"""Reading weights, and refusing what is no weights."""

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from edge.errors import ModelFileError, ModelMismatchError
from edge.vision.native.checkpoint import load_weights, read_weights


class _Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


def _layer() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pth_is_read_with_and_without_its_wrapper(tmp_path: Path, wrapped: bool) -> None:
    """Detectron2's trainer writes {"model": ..., "iteration": ...}; a bare state dict is read as well."""
    state = _layer().state_dict()
    file = tmp_path / "model.pth"
    torch.save({"model": state, "iteration": 7} if wrapped else state, file)
    torch.testing.assert_close(read_weights(file), dict(state))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_computed_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    """Small on disk, exact from there on."""
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"w": torch.tensor([0.5, 2.0], dtype=dtype)}, file)
    assert read_weights(file)["w"].tolist() == [0.5, 2.0]
    assert read_weights(file)["w"].dtype == torch.float32


def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    """weights_only stands between a model file and the machine."""
    file = tmp_path / "model.pth"
    torch.save({"model": {"w": _Evil()}}, file)
    with pytest.raises(ModelFileError, match=r"model\.pth: refused"):
        read_weights(file)
    file.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(ModelFileError, match=r"model\.pth: refused"):
        read_weights(file)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """Empty, foreign and truncated files."""
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match=name):
        read_weights(file)


def test_a_truncated_checkpoint_is_named(tmp_path: Path) -> None:
    """A copy that broke off."""
    file = tmp_path / "model.pth"
    torch.save({"model": _layer().state_dict()}, file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ModelFileError, match=r"model\.pth"):
        read_weights(file)


def test_a_missing_file_and_a_foreign_format_are_named(tmp_path: Path) -> None:
    """There is no such file; and formats that are not known are not guessed."""
    with pytest.raises(ModelFileError, match=r"model\.pth: there is no such file"):
        read_weights(tmp_path / "model.pth")
    (tmp_path / "model.onnx").touch()
    with pytest.raises(
        ModelFileError, match=r"'\.onnx' is not read; weights are \.safetensors, \.pth or \.pkl"
    ):
        read_weights(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "content", [[1, 2], {"model": {"w": 3}}, {"model": {}}, {"w": torch.tensor([torch.nan])}]
)
def test_what_is_no_dict_of_finite_tensors_is_refused(tmp_path: Path, content: object) -> None:
    """Numbers that are not finite would make a model that finds nothing and says nothing."""
    file = tmp_path / "model.pth"
    torch.save(content, file)
    with pytest.raises(ModelFileError, match=r"model\.pth"):
        read_weights(file)


def test_matching_weights_are_copied() -> None:
    """Batch norm's counter, which inference never reads, may be missing."""
    source, target = _layer(), _layer()
    weights = {k: v for k, v in source.state_dict().items() if not k.endswith("num_batches_tracked")}
    load_weights(target, weights | {"pixel_mean": torch.zeros(3)}, source=Path("model.pth"))
    torch.testing.assert_close(target.state_dict()["0.weight"], source.state_dict()["0.weight"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"0.weight": torch.zeros(5, 3)}, r"0\.weight is \(5, 3\) in the weights, \(2, 3\) by the config"),
        ({"0.bias": None}, r"0\.bias is missing in the weights, \(2,\) by the config"),
        ({"9.weight": torch.zeros(4)}, r"9\.weight is \(4,\) in the weights, missing by the config"),
    ],
)
def test_what_does_not_fit_is_named_with_both_shapes(
    change: dict[str, torch.Tensor | None], complaint: str
) -> None:
    """A key that is missing, left over, or of another shape."""
    changed = _layer().state_dict() | change
    weights = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(ModelMismatchError, match=rf"model\.pth does not fit its config: {complaint}"):
        load_weights(_layer(), weights, source=Path("model.pth"))


def test_a_model_of_another_depth_does_not_fill_the_screen() -> None:
    """The first differences are named and the rest counted."""
    weights = {f"{i}.weight": torch.zeros(1) for i in range(20)}
    with pytest.raises(ModelMismatchError, match=r"and \d+ more$") as refusal:
        load_weights(_layer(), weights, source=Path("model.pth"))
    assert str(refusal.value).count("in the weights") == 8
