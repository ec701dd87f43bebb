"""JPEG: what would keep a decoder busy for long is refused before it begins."""

import io

import pytest
from PIL import Image

from edge.errors import CorruptImageError
from edge.pipeline.jpeg import decode_jpeg

SCAN = b"\xff\xda"


def progressive(side: int) -> bytes:
    """A grey image in six scans, as encoders write it."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", progressive=True)
    return file.getvalue()


def test_a_progressive_image_is_decoded() -> None:
    """A few scans are what such images have."""
    value = progressive(64)
    assert value.count(SCAN) == 6
    assert decode_jpeg(value, grey=True).shape == (64, 64)


def test_endless_scans_are_refused_at_once() -> None:
    """Each would walk the whole image again: an hour of work in a frame that Kafka takes."""
    *begin, last = progressive(8000)[:-2].split(SCAN)
    value = SCAN.join([*begin, *100_000 * [last]]) + b"\xff\xd9"
    with pytest.raises(CorruptImageError, match="more than 100 scans"):
        decode_jpeg(value, grey=True)
