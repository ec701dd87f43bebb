"""The parts into which a network is cut, and the names that their graphs and outputs have.

The trunk's tensors are channels-last, (N, H, W, C), at both ends: as the native runtime's batches lie in
memory, and as ROIAlign and anchors read feature maps.
"""

from edge.vision.native.config import Model

INPUT = "input"
TRUNK = "trunk"
BOX_HEAD = "box_head"
BOX_PREDICTOR = "box_predictor"
MASK_HEAD = "mask_head"


def outputs_of(model: Model) -> dict[str, tuple[str, ...]]:
    """Return for each part of a model the names of its outputs, in order."""
    trunk = (
        *(f"features_{name}" for name in model.roi_heads.in_features),
        *(f"objectness_{name}" for name in model.rpn.in_features),
        *(f"deltas_{name}" for name in model.rpn.in_features),
    )
    outputs = {TRUNK: trunk}
    for stage in stages_of(model):
        outputs[BOX_HEAD + stage] = ("hidden",)
        outputs[BOX_PREDICTOR + stage] = ("logits", "box_deltas")
    if model.mask_on:
        outputs[MASK_HEAD] = ("mask_logits",)
    return outputs


def stages_of(model: Model) -> tuple[str, ...]:
    """Return what the names of box heads end in: nothing, or in a cascade the number of the stage."""
    if model.roi_heads.name == "CascadeROIHeads":
        return tuple(f"_{stage}" for stage in range(len(model.roi_box_cascade_head.bbox_reg_weights)))
    return ("",)
