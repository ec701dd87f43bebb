"""The daemon's model, as other servers call it: a batch of JPEGs in, defects as JSON out."""

import os
from collections.abc import Sequence

import msgspec

from edge.daemon import load_model
from edge.pipeline.decode import decode_image
from edge.settings import ModelSettings, PipelineSettings
from edge.vision.detections import Detections
from tests.bench.frames import MAX_PIXELS

MODEL = "STRIPSIGHT_BENCH_MODEL"
"""Names the model in the environment, which workers inherit: they are processes of their own."""

MAX_WAIT_MS = PipelineSettings().max_wait_ms
MAX_BATCH = PipelineSettings().max_batch


class Model:
    """The model that the environment names, warm."""

    def __init__(self) -> None:
        self._runtime = load_model(ModelSettings.model_validate_json(os.environ[MODEL]))
        self._runtime.warmup()

    def __call__(self, values: Sequence[bytes]) -> list[bytes]:
        """Return for each JPEG its detections."""
        images = [decode_image(value, max_pixels=MAX_PIXELS) for value in values]
        return [_as_json(found) for found in self._runtime.infer(images)]


def _as_json(found: Detections) -> bytes:
    return msgspec.json.encode(
        {
            "boxes": found.boxes.tolist(),
            "scores": found.scores.tolist(),
            "classes": found.classes.tolist(),
            "masks": found.masks,
        }
    )
