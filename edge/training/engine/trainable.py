"""What of Detectron2's training can be had here; everything else is refused by its key."""

from collections.abc import Iterator

from edge.training.engine.box_losses import BOX_LOSSES
from edge.vision.native.config import Config
from edge.vision.native.support import Rule, check_rules, check_supported

_LABELS = (-1, 0, 1)


def check_trainable(config: Config, *, source: str = "config") -> None:
    """Check the config against the losses that are implemented, and the model against the native one.

    Raises:
        UnsupportedModelError: names ``source``, the first key that is not, its value, and what is.
    """
    check_supported(config, source=source)
    check_rules(_rules(config), source=source)


def _rules(config: Config) -> Iterator[Rule]:
    """Yield (key, its value, supported values)."""
    model = config.model
    yield "MODEL.RPN.BBOX_REG_LOSS_TYPE", model.rpn.bbox_reg_loss_type, BOX_LOSSES
    yield "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE", model.roi_box_head.bbox_reg_loss_type, BOX_LOSSES
    for name, matching in (("RPN", model.rpn), ("ROI_HEADS", model.roi_heads)):
        count = len(matching.iou_thresholds) + 1
        yield f"MODEL.{name}.IOU_LABELS (one more than IOU_THRESHOLDS)", len(matching.iou_labels), (count,)
        for label in matching.iou_labels:
            yield f"MODEL.{name}.IOU_LABELS", label, _LABELS
        yield f"MODEL.{name}.IOU_THRESHOLDS", matching.iou_thresholds, (_rising(matching.iou_thresholds),)
    if model.roi_heads.name == "CascadeROIHeads":
        yield from _cascade_rules(config)


def _cascade_rules(config: Config) -> Iterator[Rule]:
    """The sample that the first stage learns from is labelled by that stage's IoU, as Detectron2 demands."""
    heads, cascade = config.model.roi_heads, config.model.roi_box_cascade_head
    stages = len(cascade.bbox_reg_weights)
    yield "MODEL.ROI_BOX_CASCADE_HEAD.IOUS (one for each of BBOX_REG_WEIGHTS)", len(cascade.ious), (stages,)
    yield "MODEL.ROI_HEADS.IOU_THRESHOLDS (with a cascade)", heads.iou_thresholds, (cascade.ious[:1],)
    yield "MODEL.ROI_HEADS.IOU_LABELS (with a cascade)", heads.iou_labels, ((0, 1),)


def _rising(thresholds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(thresholds))
