"""The losses together: what they are connected to, in clean batches and in low precision."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from edge.training.engine.losses import Target, roi_losses, training_losses
from edge.vision.native.config import Config, parse_config
from edge.vision.native.rcnn import GeneralizedRCNN, build_model

Raw = Callable[..., dict[str, Any]]

SIZE = (64, 96)
VARIANTS: dict[str, dict[str, Any]] = {
    "standard": {},
    "cascade": {
        "MODEL.ROI_HEADS.NAME": "CascadeROIHeads",
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
    },
    "sigmoids, CIoU": {
        "MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE": True,
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "ciou",
        "MODEL.RPN.BBOX_REG_LOSS_TYPE": "ciou",
    },
}
variants = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def built(raw_training: Raw) -> Callable[[str], tuple[GeneralizedRCNN, Config]]:
    """The tiny model in training, and its config."""

    def build(variant: str) -> tuple[GeneralizedRCNN, Config]:
        config = parse_config(raw_training(**VARIANTS[variant]))
        torch.manual_seed(0)
        return build_model(config).train(), config

    return build


@variants
@pytest.mark.parametrize("defects", [0, 1])
def test_every_parameter_has_a_gradient(built: Any, variant: str, defects: int) -> None:
    """Also in a batch without defects, where boxes and masks have nothing to learn."""
    model, config = built(variant)
    losses = _losses(model, config, defects)
    assert _unconnected(model, losses) == []
    if not defects:
        idle = {name: loss.item() for name, loss in losses.items() if "cls" not in name}
        assert idle.keys() >= {"loss_rpn_loc", "loss_mask"}
        assert set(idle.values()) == {0.0}


@variants
def test_heads_without_a_single_proposal_are_connected(built: Any, variant: str) -> None:
    """The proposal network may find nothing that is not empty."""
    model, config = built(variant)
    features = model.backbone(torch.rand(1, 3, *SIZE))
    losses = roi_losses(
        model.roi_heads, config.model, features, [torch.zeros(0, 4)], [_target(0)], image_sizes=[SIZE]
    )
    assert {loss.item() for loss in losses.values()} == {0.0}
    assert _unconnected(model.roi_heads, losses) == []


@variants
@pytest.mark.parametrize("defects", [0, 1])
def test_low_precision_ends_at_the_losses(built: Any, variant: str, defects: int) -> None:
    """Under autocast they are float32, finite, and near those of full precision."""
    model, config = built(variant)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = _losses(model, config, defects)
    exact = _losses(model, config, defects)
    for name, loss in coarse.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.1, abs=0.05), name
    assert _unconnected(model, coarse) == []
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_cascade_teaches_the_backbone_the_mean_of_its_stages(built: Any) -> None:
    """Heads learn at the full rate, features at one third of it."""
    model, config = built("cascade")
    features = {
        name: torch.rand(1, 16, SIZE[0] >> level, SIZE[1] >> level, requires_grad=True)
        for name, level in (("p3", 3), ("p4", 4), ("p5", 5), ("p6", 6))
    }
    losses = roi_losses(
        model.roi_heads, config.model, features, [torch.zeros(0, 4)], [_target(1)], image_sizes=[SIZE]
    )
    logits, _ = model.roi_heads.predict_stage(0, features, [_target(1).boxes])
    direct = torch.nn.functional.cross_entropy(logits, _target(1).classes)
    (scaled,) = torch.autograd.grad(losses["loss_cls_stage0"], [features["p3"]], retain_graph=True)
    (whole,) = torch.autograd.grad(direct, [features["p3"]], retain_graph=True)
    torch.testing.assert_close(scaled, whole / 3)


def _losses(model: GeneralizedRCNN, config: Config, defects: int) -> dict[str, Tensor]:
    """Of two pictures of noise, with the same sampling each time."""
    torch.manual_seed(1)
    images = [torch.randint(0, 256, (1, *SIZE), dtype=torch.uint8) for _ in range(2)]
    return training_losses(model, config.model, model.batch(images), [_target(defects), _target(0)])


def _target(defects: int) -> Target:
    """Of no defect, or of one that fills its box."""
    masks = torch.zeros((1, *SIZE), dtype=torch.bool)
    masks[0, 20:44, 30:54] = True
    box = torch.tensor([[30.0, 20.0, 54.0, 44.0]])
    return Target(box[:defects], torch.ones(defects, dtype=torch.int64), masks[:defects])


def _unconnected(module: torch.nn.Module, losses: dict[str, Tensor]) -> list[str]:
    """Names of parameters that the sum of the losses gives no gradient."""
    module.zero_grad()
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    return [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
