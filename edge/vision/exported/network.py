"""The native network whose convolutions are graphs of another library."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from edge.vision.exported.graph import Graph
from edge.vision.exported.layout import BOX_HEAD, BOX_PREDICTOR, MASK_HEAD, TRUNK, stages_of
from edge.vision.native.config import Config
from edge.vision.native.heads import BoxPredictor
from edge.vision.native.rcnn import GeneralizedRCNN
from edge.vision.native.roi_heads import CascadeRoiHeads, RoiHeads
from edge.vision.native.rpn import RpnOutput


class ExportedRCNN(GeneralizedRCNN):
    """Anchors, proposals, ROIAlign, NMS and boxes; the graphs, by the names of their parts, do the rest."""

    def __init__(self, config: Config, graphs: Mapping[str, Graph]) -> None:
        super().__init__(config)
        # Their weights are in the graphs; on this device they take no memory.
        self.backbone.to("meta")
        self.proposal_generator.rpn_head.to("meta")
        self._trunk = graphs[TRUNK]
        sigmoid = config.model.roi_box_head.use_sigmoid_ce
        stages = stages_of(config.model)
        _replace(self.roi_heads, BOX_HEAD, [GraphModule(graphs[BOX_HEAD + stage]) for stage in stages])
        predictors = [GraphPredictor(graphs[BOX_PREDICTOR + stage], sigmoid=sigmoid) for stage in stages]
        _replace(self.roi_heads, BOX_PREDICTOR, predictors)
        if self.roi_heads.mask_head is not None:
            self.roi_heads.add_module(MASK_HEAD, GraphModule(graphs[MASK_HEAD]))

    def first_stage(self, pixels: Tensor) -> tuple[dict[str, Tensor], RpnOutput]:
        """Return the feature maps by name, and what the proposal network says of each anchor."""
        maps = [x.permute(0, 3, 1, 2) for x in self._trunk(pixels.permute(0, 2, 3, 1))]
        names = self.roi_heads.in_features
        levels = len(self.proposal_generator.in_features)
        features, heads = maps[: len(names)], maps[len(names) :]
        return (
            dict(zip(names, features, strict=True)),
            self.proposal_generator.at_anchors(heads[:levels], heads[levels:]),
        )


class GraphModule(nn.Module):
    """A graph of one output as a module."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, x: Tensor) -> Tensor:
        """Map (R, ...) to the output."""
        (output,) = self.graph(x)
        return output


class GraphPredictor(BoxPredictor):
    """A graph of class logits and box deltas as a module, without weights of its own."""

    def __init__(self, graph: Graph, *, sigmoid: bool) -> None:
        nn.Module.__init__(self)
        self.graph = graph
        self.sigmoid = sigmoid

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (R, F) to logits (R, K + 1), background last, and deltas (R, K*4), or class-agnostic (R, 4)."""
        logits, deltas = self.graph(x)
        return logits, deltas


def _replace(heads: RoiHeads, name: str, modules: Sequence[nn.Module]) -> None:
    """Put modules where a head has one, or in a cascade one for each stage."""
    heads.add_module(name, nn.ModuleList(modules) if isinstance(heads, CascadeRoiHeads) else modules[0])
