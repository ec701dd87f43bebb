"""A model called batch after batch in a process of its own, nothing around it but the decoder.

``python -m tests.bench.in_process '{"runtime": "fake"}' 240`` prints a JSON object.
"""

import json
import subprocess
import sys
import time
from typing import Any

from edge.daemon import load_model
from edge.pipeline.decode import decode_image
from edge.settings import ModelSettings, PipelineSettings
from tests.bench.frames import MAX_PIXELS, jpegs
from tests.support.process import peak_bytes

_MIB = 2**20
_MS_PER_S = 1000


def run_in_process(model: ModelSettings, frames: int) -> dict[str, Any]:
    """Return ``frames_per_s``, ``batch_ms`` (a list), ``cpu_ms_per_frame`` and ``peak_mib``."""
    command = [sys.executable, "-m", __name__, model.model_dump_json(), str(frames)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


def main(model: ModelSettings, frames: int) -> dict[str, Any]:
    """Decode and infer; the first batch is for warming up."""
    runtime = load_model(model)
    runtime.warmup()
    values, size = jpegs(), PipelineSettings().max_batch
    batch_ms: list[float] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    for first in range(-size, frames, size):
        if first == 0:
            batch_ms.clear()
            began, cpu_began = time.perf_counter(), time.process_time()
        batch_began = time.perf_counter()
        numbers = range(first, min(first + size, frames))
        images = [decode_image(values[number % len(values)], max_pixels=MAX_PIXELS) for number in numbers]
        runtime.infer(images)
        batch_ms.append((time.perf_counter() - batch_began) * _MS_PER_S)
    return {
        "frames_per_s": frames / (time.perf_counter() - began),
        "batch_ms": batch_ms,
        "cpu_ms_per_frame": (time.process_time() - cpu_began) / frames * _MS_PER_S,
        "peak_mib": peak_bytes("self") / _MIB,
    }


if __name__ == "__main__":
    model_, frames_ = sys.argv[1:]
    print(json.dumps(main(ModelSettings.model_validate_json(model_), int(frames_))))  # noqa: T201
