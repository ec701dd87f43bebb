"""Our losses are Detectron2's, on the same pictures, defects, proposals and sampling.

Where Detectron2 is installed it is asked; everywhere, our losses are compared with what it said once. That is
in ``losses.json``, made anew by ``STRIPSIGHT_STORE_LOSSES=1 pytest -k agrees`` on this folder.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from edge.training.engine.losses import training_losses
from edge.vision.native.config import parse_config

Losses = dict[str, Tensor]
MODELS = ("mask_rcnn_r50_frozenbn", "mask_rcnn_r18_gn", "faster_rcnn_x50_agnostic", "cascade_mask_rcnn_r50")
CASCADE = {"ROI_HEADS": {"NAME": "CascadeROIHeads"}, "ROI_BOX_HEAD": {"CLS_AGNOSTIC_BBOX_REG": True}}


def _everywhere(kind: str, **more: Any) -> dict[str, Any]:
    keys = {"BBOX_REG_LOSS_TYPE": kind, **more}
    return {"RPN": keys, "ROI_BOX_HEAD": keys}


VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "smooth L1": _everywhere("smooth_l1", SMOOTH_L1_BETA=0.2),
    "GIoU": _everywhere("giou"),
    "DIoU": _everywhere("diou"),
    "CIoU": _everywhere("ciou"),
    "weights": {
        "RPN": {"LOSS_WEIGHT": 0.7, "BBOX_REG_LOSS_WEIGHT": 3.0, "BBOX_REG_WEIGHTS": [2.0, 2.0, 1.0, 1.0]},
        "ROI_BOX_HEAD": {"BBOX_REG_LOSS_WEIGHT": 5.0},
    },
    "sigmoids": {"ROI_BOX_HEAD": {"USE_SIGMOID_CE": True}},
    "masks on predicted boxes": {"ROI_BOX_HEAD": {"TRAIN_ON_PRED_BOXES": True}},
    "class-agnostic": {
        "ROI_BOX_HEAD": {"CLS_AGNOSTIC_BBOX_REG": True, "TRAIN_ON_PRED_BOXES": True},
        "ROI_MASK_HEAD": {"CLS_AGNOSTIC_MASK": True},
    },
    "anchors inside": {"RPN": {"BOUNDARY_THRESH": 4}},
    "other matching": {
        "RPN": {"IOU_THRESHOLDS": [0.2, 0.4], "POSITIVE_FRACTION": 0.1},
        "ROI_HEADS": {
            "IOU_THRESHOLDS": [0.3, 0.6],
            "IOU_LABELS": [0, -1, 1],
            "POSITIVE_FRACTION": 0.4,
            "PROPOSAL_APPEND_GT": False,
        },
    },
    "no masks": {"MASK_ON": False},
    "cascade": CASCADE,
    "cascade, GIoU": {
        "ROI_HEADS": {"NAME": "CascadeROIHeads"},
        "ROI_BOX_HEAD": {"CLS_AGNOSTIC_BBOX_REG": True, "BBOX_REG_LOSS_TYPE": "giou"},
        "ROI_BOX_CASCADE_HEAD": {
            "IOUS": [0.5, 0.55],
            "BBOX_REG_WEIGHTS": [[10.0, 10.0, 5.0, 5.0], [20.0, 20.0, 10.0, 10.0]],
        },
    },
}
variants = pytest.mark.parametrize("variant", VARIANTS)
models = pytest.mark.parametrize("model", MODELS)
needs_detectron2 = pytest.mark.filterwarnings("ignore")  # it is not written for the newest libraries


@models
@pytest.mark.usefixtures("same_sampling")
def test_reference_models_have_the_losses_that_detectron2_told(
    reference: Any, stored: Any, model: str
) -> None:
    """Of each of the models that it has trained; another processor rounds otherwise."""
    case = reference(model)
    _assert_same(case.native_losses(case.native()), stored(model), tolerance=1e-3)


@variants
@pytest.mark.parametrize("clean", [False, True], ids=["defects", "clean"])
@pytest.mark.usefixtures("same_sampling")
def test_every_variant_has_the_losses_that_detectron2_told(
    tiny: Any, stored: Any, variant: str, clean: bool
) -> None:
    """Of each loss that the config offers, with defects and without any."""
    case = tiny(VARIANTS[variant], clean=clean)
    losses = case.native_losses(case.native())
    _assert_same(losses, stored(_name(variant, clean=clean)), tolerance=1e-4)


@models
@needs_detectron2
@pytest.mark.usefixtures("same_sampling")
def test_detectron2_agrees_on_the_reference_models(reference: Any, store: Any, model: str) -> None:
    """To 1e-5."""
    pytest.importorskip("detectron2", reason="Detectron2 is not installed")
    case = reference(model)
    theirs = case.detectron2_losses(case.detectron2())
    _assert_same(case.native_losses(case.native()), theirs, tolerance=1e-5)
    store(model, theirs)


@variants
@pytest.mark.parametrize("clean", [False, True], ids=["defects", "clean"])
@needs_detectron2
@pytest.mark.usefixtures("same_sampling")
def test_detectron2_agrees_on_every_variant(tiny: Any, store: Any, variant: str, clean: bool) -> None:
    """To 1e-5, with defects and without any."""
    pytest.importorskip("detectron2", reason="Detectron2 is not installed")
    case = tiny(VARIANTS[variant], clean=clean)
    theirs = case.detectron2_losses(case.detectron2())
    _assert_same(case.native_losses(case.native()), theirs, tolerance=1e-5)
    store(_name(variant, clean=clean), theirs)


@variants
@needs_detectron2
def test_a_whole_step_is_detectron2_s(tiny: Any, variant: str) -> None:
    """Own proposals, own sampling from the same seed: same losses, and same gradients of all parameters."""
    pytest.importorskip("detectron2", reason="Detectron2 is not installed")
    from detectron2.utils.events import EventStorage  # noqa: PLC0415

    case = tiny(VARIANTS[variant])
    ours, theirs = case.native(), case.detectron2()
    torch.manual_seed(3)
    found = training_losses(ours, parse_config(case.raw).model, case.native_batch(ours), case.targets)
    torch.manual_seed(3)
    with EventStorage():
        expected = theirs(case.detectron2_inputs())
    _assert_same(found, expected, tolerance=1e-5)
    torch.stack(list(found.values())).sum().backward()
    torch.stack(list(expected.values())).sum().backward()
    _assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("freeze_at", [0, 1, 2, 5])
@pytest.mark.parametrize("norm", ["BN", "FrozenBN", "GN"])
@needs_detectron2
@pytest.mark.usefixtures("same_sampling")
def test_what_is_frozen_is_what_detectron2_freezes(tiny: Any, norm: str, freeze_at: int) -> None:
    """FREEZE_AT's stages have no gradients and keep their statistics; the others learn alike."""
    pytest.importorskip("detectron2", reason="Detectron2 is not installed")
    widths = {"STEM_OUT_CHANNELS": 32, "RES2_OUT_CHANNELS": 32, "WIDTH_PER_GROUP": 32}
    case = tiny({"RESNETS": {"NORM": norm, **widths}, "BACKBONE": {"FREEZE_AT": freeze_at}})
    ours, theirs = case.native(), case.detectron2()
    torch.stack(list(case.native_losses(ours).values())).sum().backward()
    torch.stack(list(case.detectron2_losses(theirs).values())).sum().backward()
    _assert_same_gradients(ours, theirs)
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=1e-5, atol=1e-6)


def _name(variant: str, *, clean: bool) -> str:
    return f"tiny, {variant}, {'clean' if clean else 'defects'}"


def _assert_same(found: Losses, expected: dict[str, Any], *, tolerance: float) -> None:
    """Names too; the tolerance is absolute for small losses and relative for large ones."""
    assert found.keys() == expected.keys()
    for name, loss in found.items():
        assert loss.item() == pytest.approx(float(expected[name]), rel=tolerance, abs=tolerance), name


def _assert_same_gradients(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    """To 1e-3 of each parameter's largest: sums over thousands of pixels are rounded in another order."""
    found, expected = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert found.keys() == expected.keys()
    for name, parameter in found.items():
        gradient, wanted = parameter.grad, expected[name].grad
        assert parameter.requires_grad == expected[name].requires_grad, name
        assert (gradient is None) == (wanted is None), name
        if gradient is not None and wanted is not None:
            error = (gradient - wanted).abs().max()
            assert error <= 1e-3 * wanted.abs().max() + 1e-7, name
