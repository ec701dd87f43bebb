"""Type and size of an image from its first bytes."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.image_header import JPEG, PNG, ImageHeader, read_image_header, sniff


def encoded(suffix: str, shape: tuple[int, ...], *parameters: int) -> bytes:
    """An empty image."""
    return cv2.imencode(suffix, np.zeros(shape, np.uint8), list(parameters))[1].tobytes()


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", JPEG), (".png", PNG)])
@pytest.mark.parametrize("grey", [True, False])
def test_type_size_and_channels_are_told_without_decoding(suffix: str, kind: str, *, grey: bool) -> None:
    """What OpenCV writes is read back."""
    shape = (17, 300) if grey else (17, 300, 3)
    assert read_image_header(encoded(suffix, shape)) == ImageHeader(kind, 300, 17, grey=grey)


def test_a_progressive_jpeg_has_its_size_elsewhere() -> None:
    """Each of the start-of-frame markers counts."""
    value = encoded(".jpg", (17, 300), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert read_image_header(value) == ImageHeader(JPEG, 300, 17, grey=True)


def test_segments_and_fill_bytes_before_the_size_are_passed_over() -> None:
    """EXIF blocks of several segments, and markers with fill bytes before them (T.81, B.1.1.2)."""
    plain = encoded(".jpg", (17, 300))
    exif = b"\xff\xff\xff\xe1" + (60_000).to_bytes(2, "big") + bytes(59_998)
    assert read_image_header(plain[:2] + exif * 3 + plain[2:]) == ImageHeader(JPEG, 300, 17, grey=True)


@pytest.mark.parametrize(
    "tail",
    [b"\xff" * 2**24, b"\xff\xe0\x00\x02" * 2**22, b"\xff\xe0\x00\x00" * 2**22, b"\xff\x01" * 2**23],
    ids=["fill bytes", "empty segments", "segments without length", "markers"],
)
def test_hostile_bytes_keep_nobody_busy(tail: bytes) -> None:
    """16 MiB that never come to the size are given up at once; a walk through them takes seconds."""
    started_at = time.thread_time()
    assert read_image_header(b"\xff\xd8" + tail) is None
    assert time.thread_time() - started_at < 0.1


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""]), st.binary(max_size=300))
def test_any_bytes_are_read_or_not(head: bytes, tail: bytes) -> None:
    """No bytes make the reader raise, and it knows no more than the first bytes say."""
    header = read_image_header(head + tail)
    assert header is None or header.content_type == sniff(head + tail)
