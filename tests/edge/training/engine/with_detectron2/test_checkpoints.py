"""A model trained here goes on in Detectron2 and the reverse; skipped where Detectron2 is not installed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edge.vision.native.checkpoint import load_weights, read_weights

# Not through `skip_or_fail`: no package index has Detectron2, so that no machine can promise it.
pytest.importorskip("detectron2", reason="Detectron2 is not installed")
# The library is not written for the newest versions of what it builds on.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("same_sampling")]

MODELS = ("mask_rcnn_r50_frozenbn", "mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50")
models = pytest.mark.parametrize("model", MODELS)


@models
def test_training_here_goes_on_in_detectron2(reference: Any, tmp_path: Path, model: str) -> None:
    """After a step the checkpoint has the names and shapes of its model, and there the same losses."""
    from detectron2.checkpoint import DetectionCheckpointer  # noqa: PLC0415

    case = reference(model)
    ours, theirs = case.native(), case.detectron2()
    _step(ours, case.native_losses(ours))
    torch.save({"model": ours.state_dict()}, tmp_path / "model.pth")
    DetectionCheckpointer(theirs).load(str(tmp_path / "model.pth"))
    # Compares keys and shapes too: what is missing would have kept the values of before the step.
    torch.testing.assert_close(dict(theirs.state_dict()), dict(ours.state_dict()), rtol=0, atol=0)
    _assert_same(case.native_losses(ours), case.detectron2_losses(theirs))


@models
def test_training_in_detectron2_goes_on_here(reference: Any, tmp_path: Path, model: str) -> None:
    """As its checkpointer saves it, with the optimiser's state beside."""
    from detectron2.checkpoint import DetectionCheckpointer  # noqa: PLC0415

    case = reference(model)
    ours, theirs = case.native(), case.detectron2()
    optimizer = _step(theirs, case.detectron2_losses(theirs))
    DetectionCheckpointer(theirs, str(tmp_path), optimizer=optimizer).save("model", iteration=1)
    load_weights(ours, read_weights(tmp_path / "model.pth"), source=tmp_path / "model.pth")
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    _assert_same(case.native_losses(ours), case.detectron2_losses(theirs))


def _step(model: nn.Module, losses: dict[str, Tensor]) -> torch.optim.Optimizer:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4, momentum=0.9)
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    optimizer.step()
    return optimizer


def _assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, loss in found.items():
        assert loss.item() == pytest.approx(expected[name].item(), rel=1e-5, abs=1e-5), name
