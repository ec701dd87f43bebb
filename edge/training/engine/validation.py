"""Judging a model, on synthetic strip of seeds that training never draws and on held-out real frames."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import torch

from edge.training.evaluation.figures import Figures, detect_all, evaluate, tune_thresholds
from edge.training.samples import Instance, Sample
from edge.training.synthetic import BALANCED_COMBINATIONS, SyntheticStrip
from edge.vision.detections import Detections
from edge.vision.native.postprocess import to_frame
from edge.vision.native.rcnn import GeneralizedRCNN

SYNTHETIC_SEED = 7  # training's seeds begin at a million
_JPEG_QUALITY = 90


def synthetic_frames(count: int, *, seed: int = SYNTHETIC_SEED, balanced: bool = True) -> list[Sample]:
    """Frames of as many coils as possible, through JPEG as a camera would send them.

    ``balanced`` shows every class often; else the mix is Severstal's, with 3.5 % of class 2.
    """
    strip = SyntheticStrip(seed, frames_per_coil=1, combinations=BALANCED_COMBINATIONS if balanced else None)
    samples = []
    for index in range(count):
        frame = strip.frame(index)
        _, encoded = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        instances = tuple(Instance(d.class_id, d.mask) for d in frame.defects)
        samples.append(Sample(image, instances, name=f"synthetic-{seed}-{index}"))
    return samples


@torch.inference_mode()
def detect(model: GeneralizedRCNN, image: np.ndarray[Any, np.dtype[np.uint8]]) -> Detections:
    """Detections on one (H, W) grey frame at its own size."""
    shape = (image.shape[0], image.shape[1])
    pixels = torch.from_numpy(image).expand(3, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        raw = model(model.batch([pixels]))
    return to_frame(raw[0], shape, shape)


def judge(model: GeneralizedRCNN, samples: Sequence[Sample]) -> tuple[Figures, list[Detections]]:
    """Figures at the thresholds that suit these very samples, and all detections."""
    was_training = model.training
    model.eval()
    found = detect_all(lambda image: detect(model, image), samples)
    model.train(was_training)
    return evaluate(samples, found, tune_thresholds(samples, found)), found


def as_record(figures: Figures) -> dict[str, Any]:
    """Plain values for a line of metrics, rounded to what they are worth."""
    record = asdict(figures)
    record["classes"] = [{k: round(v, 3) for k, v in c.items()} for c in record["classes"]]
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}
