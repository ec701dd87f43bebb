"""Whole images of every kind that cameras and programs write: where hostile ones begin."""

import functools
import io
import random
import zlib

import cv2
import numpy as np
from PIL import Image

from tests.support.png_writer import LAYOUTS, chunks_of, png, rows

_SIZES = [(1, 1), (5, 3), (33, 17)]
_JPEG_WAYS: list[dict[str, object]] = [
    {},
    {"progressive": True},
    {"subsampling": 2, "quality": 30},
    {"restart_marker_blocks": 1},
    {"optimize": True, "comment": b"a camera", "icc_profile": bytes(200)},
]


@functools.cache
def pngs() -> list[bytes]:
    """Every layout of the specification, interlaced and not; some as libraries write them."""
    plain = [png(chunks_of(*size, *layout)) for size in _SIZES for layout in LAYOUTS]
    interlaced = [png(chunks_of(33, 17, *layout, 1)) for layout in LAYOUTS]
    return [*plain, *interlaced, _opencv_png(), _png_with_text()]


@functools.cache
def jpegs() -> list[bytes]:
    """Grey, colour and CMYK; baseline and progressive, with restarts, profiles, comments, an orientation."""
    return [
        _jpeg(_noise(mode, *size), **way)
        for mode in ("L", "RGB", "CMYK")
        for size in _SIZES
        for way in [*_JPEG_WAYS, {"exif": _turned()}]
    ]


@functools.cache
def others() -> list[bytes]:
    """What is neither: raw pixels of the size that the settings tell, other formats, and bombs."""
    image = _noise("RGB", 8, 8)
    return [rows(63, 8, 8, 0), *(_saved(image, kind) for kind in ("GIF", "BMP", "TIFF", "WEBP")), _bomb()]


def _noise(mode: str, width: int, height: int) -> Image.Image:
    # Smooth enough for few coefficients, rough enough for all kinds of them.
    chance = random.Random(f"{mode} {width} {height}")  # noqa: S311 - the same picture every time
    small = Image.frombytes(mode, (4, 4), chance.randbytes(16 * len(mode)))
    return small.resize((width, height))


def _jpeg(image: Image.Image, **way: object) -> bytes:
    return _saved(image, "JPEG", **way)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _saved(image: Image.Image, kind: str, **way: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **way)
    return file.getvalue()


def _opencv_png() -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def _png_with_text() -> bytes:
    return png(
        [*chunks_of(5, 3, 8, 2)[:1], (b"tEXt", b"a\0b"), (b"gAMA", bytes(4)), *chunks_of(5, 3, 8, 2)[1:]]
    )


def _bomb() -> bytes:
    header, _, end = chunks_of(33, 17, 8, 0)
    return png([header, (b"IDAT", zlib.compress(bytes(2**20))), end])
