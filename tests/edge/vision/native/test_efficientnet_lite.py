"""EfficientNet-Lite: its shapes, its published weights, and how it learns."""

import pytest
import torch

from edge.errors import UnsupportedModelError
from edge.vision.native.config import EfficientNetLite as Settings
from edge.vision.native.config import parse_config
from edge.vision.native.efficientnet_lite import STAGES, Depthwise, EfficientNetLite, from_published
from edge.vision.native.layers import FrozenBatchNorm2d
from edge.vision.native.rcnn import build_model

# Parameters of the published classifiers, millions; each ends in 1x1 convolution, norm and 1000 classes.
PUBLISHED = {"lite0": 4.7, "lite1": 5.4, "lite2": 6.1, "lite3": 8.2, "lite4": 13.0}
LITE = {
    "MODEL": {
        "BACKBONE": {"NAME": "build_efficientnet_lite_fpn_backbone"},
        "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
        "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
        "RPN": {"IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"]},
        "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["p2", "p3", "p4", "p5"]},
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
    }
}


@pytest.mark.parametrize("variant", PUBLISHED)
def test_each_variant_has_the_published_size(variant: str) -> None:
    """With the classifier's own layers on top, the parameters are as many as published."""
    with torch.device("meta"):
        backbone = EfficientNetLite(Settings(variant=variant, norm="BN"))
    width = backbone.channels["res5"]
    classifier = width * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    total = sum(p.numel() for p in backbone.parameters()) + classifier
    assert total / 1e6 == pytest.approx(PUBLISHED[variant], abs=0.06)


def test_stages_have_their_strides() -> None:
    """``res2`` .. ``res5`` halve the frame from 4 to 32, with the channels that they tell."""
    backbone = EfficientNetLite(Settings())
    outputs = backbone(torch.zeros(2, 3, 64, 96))
    assert tuple(outputs) == STAGES
    for name, features in outputs.items():
        stride = backbone.strides[name]
        assert features.shape == (2, backbone.channels[name], 64 // stride, 96 // stride)


def test_published_weights_fill_the_backbone() -> None:
    """Every parameter and statistic is found, and a norm's scale is the published one."""
    published, names = _published()
    given = from_published(published, Settings())
    own = EfficientNetLite(Settings()).state_dict()
    assert {name.removeprefix("backbone.bottom_up.") for name in given} == own.keys() | {
        f"{name.removesuffix('weight')}num_batches_tracked" for name in own if name.endswith("norm.weight")
    }
    theirs = published["_blocks.2._bn1.running_var"] + 1e-3
    ours = given["backbone.bottom_up.res2.2.depthwise.norm.running_var"] + 1e-5
    assert torch.allclose(ours, theirs, rtol=1e-6)
    assert not any("_fc" in name or "_conv_head" in name for name in given)
    assert len(names) == len(given) + 8  # the head's convolution, norm (5) and classifier (2)


def test_learning_reaches_what_is_not_frozen() -> None:
    """FREEZE_AT 2 leaves stem and ``res2`` alone; depthwise weights learn in mixed precision as well."""
    backbone = EfficientNetLite(Settings(norm="BN"), freeze_at=2)
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(torch.randn(2, 3, 64, 64))["res5"]
    features.float().square().mean().backward()
    learned = {name.split(".")[0] for name, p in backbone.named_parameters() if p.grad is not None}
    assert learned == {"res3", "res4", "res5"}
    assert isinstance(backbone.stem.norm, FrozenBatchNorm2d)
    depthwise = next(layer for layer in backbone.res3.modules() if isinstance(layer, Depthwise))  # type: ignore[union-attr]
    assert depthwise.weight.grad is not None
    assert depthwise.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("section", "culprit"),
    [({"VARIANT": "lite9"}, "VARIANT: 'lite9'"), ({"NORM": "GN"}, "NORM: 'GN'")],
)
def test_what_it_has_not_is_refused_by_its_key(section: dict[str, str], culprit: str) -> None:
    """As everywhere: key, value and what would do."""
    raw = {"MODEL": {**LITE["MODEL"], "EFFICIENTNET_LITE": section}}
    with pytest.raises(UnsupportedModelError, match=f"MODEL.EFFICIENTNET_LITE.{culprit} is not supported"):
        build_model(parse_config(raw))


def _published() -> tuple[dict[str, torch.Tensor], list[str]]:
    """Random numbers under the names of the published lite0."""
    torch.manual_seed(0)
    blocks = EfficientNetLite(Settings(norm="BN"))
    weights: dict[str, torch.Tensor] = {}

    def add(conv: str, norm: str, layer: torch.nn.Module) -> None:
        state = {k: torch.rand_like(v) if v.is_floating_point() else v for k, v in layer.state_dict().items()}
        weights[f"{conv}.weight"] = state["weight"]
        for name, value in state.items():
            if name.startswith("norm."):
                weights[name.replace("norm", norm)] = value

    add("_conv_stem", "_bn0", blocks.stem)
    inverted = [block for stage in STAGES for block in blocks.get_submodule(stage)]  # type: ignore[attr-defined]
    for i, block in enumerate(inverted):
        if block.expand is not None:
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", block.expand)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", block.depthwise)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", block.project)
    classifier = ("_conv_head.weight", "_fc.weight", "_fc.bias")
    norm = (
        f"_bn1.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    )
    weights |= {name: torch.zeros(1) for name in (*classifier, *norm, "_bn1.num_batches_tracked")}
    return weights, list(weights)
