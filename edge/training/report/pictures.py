"""Frames with what is on them: each picture is embedded once, masks lie over it as outlines."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.contracts.mask import Mask
from edge.training.data.coco_masks import RunLengths, decode_segmentation
from edge.training.dataset import LabelledFrame
from edge.training.evaluation.record import StoredDetection
from edge.training.samples import Instance

# As wide as the page shows them on a dense screen, more or less: a frame of 1600x256 px takes some 50 kB.
_MOST_WIDTH_PX = 1200
_MOST_PIXELS = 320_000
_JPEG_QUALITY = 78
# An outline may leave the mask by this part of the picture's width: half a pixel of the screen.
_OUTLINE_TOLERANCE = 1 / 2000


@dataclass(frozen=True, slots=True)
class Shape:
    """One defect, of the truth or predicted; ``path`` is SVG's, in px of the frame."""

    class_id: int
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as the page embeds it; sizes are the frame's own, whatever the JPEG's."""

    name: str
    height_px: int
    width_px: int
    data_uri: str

    @property
    def is_wide(self) -> bool:
        """Whether two of them stand better one upon the other than side by side."""
        return self.width_px > 2 * self.height_px


def embed(frame: LabelledFrame) -> Picture:
    """Read a frame and make it a JPEG that a page can carry.

    Raises:
        CorruptImageError: the file is no picture, or of another size than its labels.
    """
    image = frame.read().image
    height, width = image.shape
    scale = min(1.0, _MOST_WIDTH_PX / width, (_MOST_PIXELS / (width * height)) ** 0.5)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    written, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not written:
        raise AssertionError("a grey picture can always be written as JPEG")
    encoded = base64.b64encode(jpeg.tobytes()).decode()
    return Picture(frame.name, height, width, f"data:image/jpeg;base64,{encoded}")


def true_shapes(frame: LabelledFrame, class_names: Sequence[str]) -> list[Shape]:
    """Outline what is labelled on a frame, the largest first, so that small ones lie on top."""
    tolerance = frame.width_px * _OUTLINE_TOLERANCE
    instances: list[Instance] = sorted(frame.instances, key=lambda i: -i.mask.area_px)
    return [
        Shape(
            class_id=instance.class_id,
            path=_path_of_mask(instance.mask, tolerance),
            label=f"{class_names[instance.class_id]}, {instance.mask.area_px:,} px",
        )
        for instance in instances
    ]


def predicted_shapes(
    detections: Sequence[StoredDetection], class_names: Sequence[str], frame_width_px: int
) -> list[Shape]:
    """Outline detections: their masks, or their boxes where the model has no masks."""
    return [
        Shape(
            class_id=detection.category_id - 1,
            path=_path_of_detection(detection, frame_width_px * _OUTLINE_TOLERANCE),
            label=f"{class_names[detection.category_id - 1]}, score {detection.score:.2f}",
        )
        for detection in detections
    ]


def outline(mask: npt.NDArray[np.bool_], x: int, y: int, tolerance_px: float) -> str:
    """Outline a (H, W) bool mask whose first pixel lies at (x, y), as an SVG path.

    Holes are paths of their own: fill it by the even-odd rule.
    """
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
    )
    return "".join(_closed(cv2.approxPolyDP(contour, tolerance_px, closed=True)) for contour in contours)


def _closed(contour: npt.NDArray[Any]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in contour.reshape(-1, 2).tolist()) + "Z"


def _path_of_mask(mask: Mask, tolerance_px: float) -> str:
    return outline(mask.decode(), mask.x, mask.y, tolerance_px)


def _path_of_detection(detection: StoredDetection, tolerance_px: float) -> str:
    found = detection.segmentation
    if found is None:
        x, y, width, height = detection.bbox
        return f"M{x:.0f} {y:.0f}h{width:.0f}v{height:.0f}h{-width:.0f}Z"
    return outline(decode_segmentation(RunLengths(found.size, found.counts), found.size), 0, 0, tolerance_px)
