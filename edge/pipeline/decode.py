"""From the bytes of a frame to its pixels."""

import numpy as np

from edge.contracts.image_header import JPEG, MONO8, PNG, UNKNOWN, read_image_header, sniff
from edge.errors import ContentTypeError, CorruptImageError, EmptyFrameError, FrameSizeError
from edge.pipeline.jpeg import decode_jpeg
from edge.pipeline.png import decode_png
from edge.vision.runtime import Image

__all__ = ["Image", "decode_image"]

_ALIASES = {"image/jpg": JPEG, "image/pjpeg": JPEG, UNKNOWN: ""}


def decode_image(
    value: bytes,
    content_type: str | None = None,
    *,
    width_px: int | None = None,
    height_px: int | None = None,
    max_pixels: int,
) -> Image:
    """Decode a JPEG, PNG or raw Mono8 image.

    Args:
        value: the image as it came.
        content_type: what its sender called it, if anything (``application/octet-stream`` is nothing); the
            bytes themselves decide between JPEG and PNG.
        width_px: of a raw image.
        height_px: of a raw image.
        max_pixels: larger images are refused before any memory is taken for them.

    Returns:
        (H, W) uint8 for grey images, (H, W, 3) uint8 in BGR order for others.

    Raises:
        EmptyFrameError: there are no bytes.
        ContentTypeError: the type is not one of the three.
        FrameSizeError: a side is 0, there are more than ``max_pixels``, or raw bytes do not match the size.
        CorruptImageError: the image is cut short or damaged.
    """
    if not value:
        raise EmptyFrameError("the frame has no bytes")
    kind = _kind(value, content_type)
    if kind == MONO8:
        return _decode_mono8(value, width_px, height_px, max_pixels)
    header = read_image_header(value)
    if header is None:
        raise CorruptImageError(f"{kind}: {len(value)} bytes without a readable header")
    _check_size(header.width_px, header.height_px, max_pixels)
    image = decode_jpeg(value, grey=header.grey) if header.content_type == JPEG else decode_png(value)
    if image.shape[:2] != (header.height_px, header.width_px):
        raise CorruptImageError(f"{kind}: {image.shape[:2]} pixels where the header says otherwise")
    return image


def _kind(value: bytes, content_type: str | None) -> str:
    said = (content_type or "").partition(";")[0].strip().lower()
    said = _ALIASES.get(said, said)
    if said == MONO8:
        return MONO8
    if said and said not in (JPEG, PNG):
        raise ContentTypeError(f"content type {content_type!r} is not one of {JPEG}, {PNG}, {MONO8}")
    seen = sniff(value)
    if seen is None and not said:
        raise ContentTypeError(f"no content type, and {value[:8]!r} begins neither a JPEG nor a PNG image")
    return seen or said


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise FrameSizeError(f"the image is {width} x {height} pixels")
    if width * height > max_pixels:
        raise FrameSizeError(f"the image is {width} x {height} pixels, the limit is {max_pixels} in all")


def _decode_mono8(value: bytes, width: int | None, height: int | None, max_pixels: int) -> Image:
    if width is None or height is None:
        raise FrameSizeError(f"{MONO8}: neither headers nor settings tell width_px and height_px")
    _check_size(width, height, max_pixels)
    if len(value) != width * height:
        raise FrameSizeError(f"{MONO8}: {len(value)} bytes are not {width} x {height} pixels")
    return np.frombuffer(value, np.uint8).reshape(height, width)
