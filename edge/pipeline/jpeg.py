"""JPEG to pixels, strictly: what other decoders repair or pass over fails the frame."""

import re
from itertools import islice

import simplejpeg

from edge.contracts.image_header import JPEG
from edge.errors import CorruptImageError
from edge.vision.runtime import Image

# Each scan of a progressive JPEG walks the whole image again, however few bytes it has: 16 MiB of empty scans
# over the largest frame would keep a thread busy for more than an hour. Encoders write about ten.
_MOST_SCANS = 100
# Stuffing keeps these two bytes out of the pixels' data (ITU-T T.81, B.1.1.5); a preview in a camera's EXIF
# has one or two more. An expression finds them four times faster than bytes.count() does.
_START_OF_SCAN = re.compile(rb"\xff\xda")


def decode_jpeg(value: bytes, *, grey: bool) -> Image:
    """Decode a JPEG whose size has been found allowable.

    Returns:
        (H, W) uint8 for grey images, (H, W, 3) uint8 in BGR order for others.

    Raises:
        CorruptImageError: the image is cut short or damaged, or has more scans than any encoder writes.
    """
    scans = sum(1 for _ in islice(_START_OF_SCAN.finditer(value), _MOST_SCANS + 1))
    if scans > _MOST_SCANS:
        raise CorruptImageError(f"{JPEG}: more than {_MOST_SCANS} scans")
    try:
        if grey:
            return simplejpeg.decode_jpeg(value, colorspace="GRAY", strict=True)[..., 0]
        return simplejpeg.decode_jpeg(value, colorspace="BGR", strict=True)
    except ValueError as error:
        raise CorruptImageError(f"{JPEG}: {error}") from None
