"""The parts of a native network that become graphs, as modules of one tensor."""

from dataclasses import dataclass

from torch import Tensor, nn

from edge.vision.exported.layout import BOX_HEAD, BOX_PREDICTOR, MASK_HEAD, TRUNK, outputs_of, stages_of
from edge.vision.native.config import Config
from edge.vision.native.rcnn import GeneralizedRCNN


@dataclass(frozen=True, slots=True)
class Part:
    """A module with one input (N, ...) and outputs (N, ...) whose names the graph has."""

    name: str
    module: nn.Module
    outputs: tuple[str, ...]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Map a batch to the outputs in their order."""
        answer = self.module(x)
        return [answer] if isinstance(answer, Tensor) else list(answer)


class Trunk(nn.Module):
    """Backbone, pyramid and the head of the proposal network, channels-last at both ends."""

    def __init__(self, network: GeneralizedRCNN) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.rpn_head = network.proposal_generator.rpn_head
        self.levels = network.proposal_generator.in_features
        self.features = network.roi_heads.in_features

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Map (N, H, W, 3) to the feature maps of the heads, then objectness, then deltas of each level."""
        features = self.backbone(pixels.permute(0, 3, 1, 2))
        objectness, deltas = self.rpn_head([features[name] for name in self.levels])
        maps = [*(features[name] for name in self.features), *objectness, *deltas]
        return tuple(x.permute(0, 2, 3, 1) for x in maps)


def parts_of(network: GeneralizedRCNN, config: Config) -> list[Part]:
    """Cut a network into its parts; those but the trunk are modules of the network itself."""
    heads = network.roi_heads
    modules: dict[str, nn.Module] = {TRUNK: Trunk(network).eval()}
    for stage in stages_of(config.model):
        for name in (BOX_HEAD, BOX_PREDICTOR):
            modules[name + stage] = heads.get_submodule(f"{name}{stage.replace('_', '.')}")
    if heads.mask_head is not None:
        modules[MASK_HEAD] = heads.mask_head
    return [Part(name, modules[name], outputs) for name, outputs in outputs_of(config.model).items()]
