"""What is told of a model, in words."""

from collections.abc import Iterator

from edge.vision.native.config import Config

_MANY = 100_000
_RESNET, _LITE = "build_resnet", "build_efficientnet_lite"


def thousands(number: int) -> str:
    """``4.1 million`` and the like; smaller numbers as they are."""
    return f"{number / 1e6:.1f} million" if number >= _MANY else f"{number:,}"


def architecture(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what the config says of the network: names and values."""
    model = config.model
    yield "architecture", f"{_kind(config)} ({model.meta_architecture}, {model.roi_heads.name})"
    yield "backbone", _backbone(config)
    if "fpn" in model.backbone.name:
        yield "pyramid", f"{model.fpn.out_channels} channels on {', '.join(model.roi_heads.in_features)}"
    yield "proposals", f"{model.rpn.pre_nms_topk_test:,} a level, {model.rpn.post_nms_topk_test:,} a frame"
    yield "input", _input(config)
    yield "detections", f"at most {config.test.detections_per_image} a frame"


def _kind(config: Config) -> str:
    if config.model.meta_architecture != "GeneralizedRCNN":
        return config.model.meta_architecture
    cascade = "Cascade " if config.model.roi_heads.name == "CascadeROIHeads" else ""
    return f"{cascade}{'Mask' if config.model.mask_on else 'Faster'} R-CNN"


def _backbone(config: Config) -> str:
    model = config.model
    if model.backbone.name.startswith(_LITE):
        return f"EfficientNet-{model.efficientnet_lite.variant.capitalize()}, {model.efficientnet_lite.norm}"
    if model.backbone.name.startswith(_RESNET):
        nets = model.resnets
        groups = f", {nets.num_groups} groups" if nets.num_groups > 1 else ""
        return f"ResNet-{nets.depth}, {nets.norm}{groups}, {nets.res2_out_channels} channels in res2"
    return model.backbone.name


def _input(config: Config) -> str:
    size = "at its own size"
    if config.input.min_size_test:
        size = f"short side to {config.input.min_size_test} px, at most {config.input.max_size_test}"
    mean = ", ".join(f"{value:g}" for value in config.model.pixel_mean)
    deviation = ", ".join(f"{value:g}" for value in config.model.pixel_std)
    return f"{config.input.format}, {size}; mean {mean}, deviation {deviation}"
