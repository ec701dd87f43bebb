"""Data sets in Detectron2's own format."""

from typing import Any

from edge.training.dataset import Dataset, LabelledFrame
from edge.training.evaluation.regions import whole_frame_runs

_XYXY_ABS = 0  # detectron2.structures.BoxMode


def dataset_dicts(dataset: Dataset) -> list[dict[str, Any]]:
    """The frames as Detectron2's dataset dicts; masks are COCO's compressed run lengths."""
    return [
        {
            "file_name": str(frame.path),
            "image_id": frame.name,
            "height": frame.height_px,
            "width": frame.width_px,
            "annotations": _annotations(frame, has_masks=dataset.has_masks),
        }
        for frame in dataset.frames
    ]


def _annotations(frame: LabelledFrame, *, has_masks: bool) -> list[dict[str, Any]]:
    annotations = []
    for instance in frame.instances:
        annotation: dict[str, Any] = {
            "bbox": [float(edge) for edge in instance.box_px],
            "bbox_mode": _XYXY_ABS,
            "category_id": instance.class_id,
        }
        if has_masks:
            annotation["segmentation"] = whole_frame_runs(instance.mask, frame.height_px, frame.width_px)
        annotations.append(annotation)
    return annotations
