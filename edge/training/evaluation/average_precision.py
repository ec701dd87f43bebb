"""COCO's average precision, by pycocotools itself, without files."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edge.training.evaluation.comparison import STRICT_IOU, Comparison
from edge.training.evaluation.record import AveragePrecision, Overlap, PrecisionRecall

MOST_DETECTIONS = 100
_ALL_AREAS_PX = [0.0, 1e10]
_COCO_NAMES: dict[Overlap, str] = {"mask": "segm", "box": "bbox"}


@dataclass(frozen=True, slots=True)
class Match:
    """Detections of one class, and whether each takes a defect at IoU 0.5, best first, each defect once."""

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """COCO's verdict on one class."""

    average: AveragePrecision
    curve: PrecisionRecall
    match: Match


def class_precisions(
    comparisons: Sequence[Comparison], overlap: Overlap, *, classes: int
) -> list[ClassPrecision]:
    """Run COCO's evaluation on masks or boxes; one verdict for each class.

    Masks ask for comparisons of masks. At most 100 detections a frame count, as COCO has it.
    """
    verdict = _evaluated(comparisons, overlap, classes)
    return [_of_class(verdict, class_id, len(comparisons)) for class_id in range(classes)]


def mean_precision(of_classes: Sequence[AveragePrecision]) -> AveragePrecision:
    """Mean over the classes that have defects, as COCO has it."""
    known = [a for a in of_classes if a.ap is not None and a.ap50 is not None]
    if not known:
        return AveragePrecision(ap50=None, ap=None)
    return AveragePrecision(
        ap50=float(np.mean([a.ap50 for a in known if a.ap50 is not None])),
        ap=float(np.mean([a.ap for a in known if a.ap is not None])),
    )


def _evaluated(comparisons: Sequence[Comparison], overlap: Overlap, classes: int) -> Any:
    # pycocotools tells on standard output how it gets on.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _indexed(comparisons, classes, _truth_annotations(comparisons, overlap))
        found = _indexed(comparisons, classes, _found_annotations(comparisons, overlap))
        verdict = COCOeval(truth, found, _COCO_NAMES[overlap])
        verdict.params.areaRng, verdict.params.areaRngLbl = [_ALL_AREAS_PX], ["all"]
        verdict.params.maxDets = [MOST_DETECTIONS]
        verdict.evaluate()
        verdict.accumulate()
    return verdict


def _indexed(comparisons: Sequence[Comparison], classes: int, annotations: list[dict[str, Any]]) -> Any:
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": number, "height": c.truth.height_px, "width": c.truth.width_px}
            for number, c in enumerate(comparisons)
        ],
        "categories": [{"id": class_id} for class_id in range(classes)],
        # COCO takes 0 for no annotation at all.
        "annotations": [{"id": number, "iscrowd": 0, **a} for number, a in enumerate(annotations, 1)],
    }
    coco.createIndex()
    return coco


def _truth_annotations(comparisons: Sequence[Comparison], overlap: Overlap) -> list[dict[str, Any]]:
    annotations = []
    for number, comparison in enumerate(comparisons):
        for index, instance in enumerate(comparison.truth.instances):
            x0, y0, x1, y1 = instance.box_px
            annotation = {
                "image_id": number,
                "category_id": instance.class_id,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": instance.mask.area_px,
            }
            if overlap == "mask":
                annotation["segmentation"] = comparison.truth_runs[index]
            annotations.append(annotation)
    return annotations


def _found_annotations(comparisons: Sequence[Comparison], overlap: Overlap) -> list[dict[str, Any]]:
    annotations = []
    for number, comparison in enumerate(comparisons):
        found = comparison.found
        for index, (x0, y0, x1, y1) in enumerate(found.boxes.tolist()):
            annotation = {
                "image_id": number,
                "category_id": int(found.classes[index]),
                "score": float(found.scores[index]),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
            }
            if overlap == "mask":
                annotation["segmentation"] = comparison.found_runs[index]
            annotations.append(annotation)
    return annotations


def _of_class(verdict: Any, class_id: int, frames: int) -> ClassPrecision:
    # (IoU thresholds, recalls, classes, areas, limits of detections); -1 where there are no defects.
    precision = verdict.eval["precision"][:, :, class_id, 0, 0]
    strict = int(np.flatnonzero(np.isclose(verdict.params.iouThrs, STRICT_IOU))[0])
    known = bool((precision > -1).all())
    reached = verdict.eval["recall"][strict, class_id, 0, 0]
    points = (verdict.params.recThrs <= reached + 1e-9) & known
    return ClassPrecision(
        average=AveragePrecision(
            ap50=float(precision[strict].mean()) if known else None,
            ap=float(precision.mean()) if known else None,
        ),
        curve=PrecisionRecall(
            recall=verdict.params.recThrs[points].tolist(),
            precision=precision[strict][points].tolist(),
            scores=verdict.eval["scores"][strict, :, class_id, 0, 0][points].tolist(),
        ),
        match=_match(verdict.evalImgs[class_id * frames : (class_id + 1) * frames], strict),
    )


def _match(images: Sequence[dict[str, Any] | None], strict: int) -> Match:
    seen = [image for image in images if image is not None]
    scores = [np.asarray(image["dtScores"], np.float64) for image in seen]
    right = [image["dtMatches"][strict] > 0 for image in seen]
    return Match(
        scores=np.concatenate([np.zeros(0), *scores]),
        right=np.concatenate([np.zeros(0, np.bool_), *right]),
    )
