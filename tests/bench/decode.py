"""JPEG to pixels: ours against the decoders that there are, grey and colour, one thread each."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from torchvision.io import ImageReadMode, decode_jpeg

from edge.pipeline.decode import decode_image
from tests.bench.figures import Figures, Result, percentiles, table_of
from tests.bench.frames import MAX_PIXELS, jpegs

__all__ = ["measure", "table_of"]

FRAMES = 160  # a turn
MS_PER_S = 1000
Decoder = Callable[[bytes], object]


def measure(repetitions: int) -> Result:
    """Decode the same frames with each decoder in turn."""
    figures = Figures("JPEG of 1600 × 256 to pixels, one thread")
    sets = {"grey": jpegs(), "colour": _in_colour(jpegs())}
    for _ in range(repetitions):
        for kind, values in sets.items():
            speeds = {
                name: _turn(figures, f"{name}, {kind}", decode, values)
                for name, decode in _decoders(grey=kind == "grey").items()
            }
            figures.add_ratio(f"ours / OpenCV, {kind}", speeds["ours, strict"] / speeds["OpenCV"])
            figures.add_ratio(f"ours / torchvision, {kind}", speeds["ours, strict"] / speeds["torchvision"])
    return figures.result()


def _decoders(*, grey: bool) -> dict[str, Decoder]:
    mode = ImageReadMode.GRAY if grey else ImageReadMode.RGB
    flag = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    decoders: dict[str, Decoder] = {
        "ours, strict": partial(decode_image, max_pixels=MAX_PIXELS),
        "simplejpeg": partial(simplejpeg.decode_jpeg, colorspace="GRAY" if grey else "BGR"),
        "OpenCV": lambda value: cv2.imdecode(np.frombuffer(value, np.uint8), flag),
        "torchvision": lambda value: decode_jpeg(torch.frombuffer(bytearray(value), dtype=torch.uint8), mode),
    }
    if (turbo := _turbojpeg(grey=grey)) is not None:
        decoders["PyTurboJPEG"] = turbo
    return decoders


def _turbojpeg(*, grey: bool) -> Decoder | None:
    """PyTurboJPEG calls the system's library, which may not be there."""
    if find_spec("turbojpeg") is None:
        return None
    import turbojpeg  # noqa: PLC0415 - an extra

    try:
        library = turbojpeg.TurboJPEG()
    except (RuntimeError, OSError):
        return None
    pixels: Any = turbojpeg.TJPF_GRAY if grey else turbojpeg.TJPF_BGR
    return partial(library.decode, pixel_format=pixels)


def _turn(figures: Figures, name: str, decode: Decoder, values: Sequence[bytes]) -> float:
    took_ms = []
    cpu_began = time.process_time()
    for number in range(FRAMES):
        began = time.perf_counter()
        decode(values[number % len(values)])
        took_ms.append((time.perf_counter() - began) * MS_PER_S)
    cpu_ms = (time.process_time() - cpu_began) / FRAMES * MS_PER_S
    figures.add(
        name,
        frames_per_s=MS_PER_S / (sum(took_ms) / FRAMES),
        cpu_ms_per_frame=cpu_ms,
        **percentiles(took_ms),
    )
    return 1 / cpu_ms  # CPU time is what decoding costs, whatever else the machine does


def _in_colour(grey: Sequence[bytes]) -> tuple[bytes, ...]:
    """Encode the same frames with three channels, as Severstal's are."""
    return tuple(_encode(cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR)) for value in grey)


def _encode(image: npt.NDArray[Any]) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
