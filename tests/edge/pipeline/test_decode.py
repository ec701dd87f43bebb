"""Decoding: three types of image, and everything that can be wrong with one."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.image_header import JPEG, MONO8, PNG, UNKNOWN
from edge.errors import (
    ContentTypeError,
    CorruptImageError,
    EmptyFrameError,
    FrameError,
    FrameSizeError,
)
from edge.pipeline.decode import Image, decode_image

LIMIT = 1_000_000


def gradient(*, channels: int = 1) -> Image:
    """A small frame with something on it."""
    grey = np.add.outer(np.arange(48), np.arange(200)).astype(np.uint8)
    return grey if channels == 1 else np.dstack([grey, grey[::-1], grey[:, ::-1]])


def encoded(image: Image, suffix: str) -> bytes:
    """The image as a camera would send it."""
    return cv2.imencode(suffix, image)[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG that announces a size and holds no pixels."""
    sof = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(sof)) + sof + b"\xff\xd9"


@pytest.mark.parametrize("channels", [1, 3])
def test_png_comes_out_as_it_went_in(channels: int) -> None:
    """Grey stays (H, W), colour stays (H, W, 3) in BGR order, to the pixel."""
    image = gradient(channels=channels)
    assert np.array_equal(decode_image(encoded(image, ".png"), PNG, max_pixels=LIMIT), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_comes_out_as_opencv_decodes_it(channels: int) -> None:
    """The strict decoder gives the pixels that OpenCV gives."""
    value = encoded(gradient(channels=channels), ".jpg")
    flags = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    expected = cv2.imdecode(np.frombuffer(value, np.uint8), flags)
    decoded = decode_image(value, JPEG, max_pixels=LIMIT)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected.astype(int)).max() <= 1


def test_sixteen_bit_png_becomes_eight_bit() -> None:
    """A camera's 16-bit PNG is scaled to the model's 8 bits."""
    value = encoded(gradient().astype(np.uint16) * 257, ".png")
    assert np.array_equal(decode_image(value, PNG, max_pixels=LIMIT), gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_in_the_file_does_not_turn_the_strip(orientation: int) -> None:
    """Pixels stay where the camera took them, whatever an eXIf chunk says."""
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    chunk = b"eXIf" + tiff
    value = encoded(gradient(), ".png")
    turned = (
        value[:33] + struct.pack(">I", len(tiff)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + value[33:]
    )
    assert np.array_equal(decode_image(turned, PNG, max_pixels=LIMIT), gradient())


def test_raw_mono8_is_taken_as_it_is() -> None:
    """Raw pixels need no decoder, only their size."""
    image = gradient()
    decoded = decode_image(image.tobytes(), MONO8, width_px=200, height_px=48, max_pixels=LIMIT)
    assert np.array_equal(decoded, image)


@pytest.mark.parametrize("content_type", [None, UNKNOWN, "image/jpg", "IMAGE/JPEG; q=1", PNG])
def test_the_bytes_decide_between_jpeg_and_png(content_type: str | None) -> None:
    """A camera that names its type loosely, or not at all, or PNG for a JPEG, is understood."""
    assert decode_image(encoded(gradient(), ".jpg"), content_type, max_pixels=LIMIT).shape == (48, 200)


def test_an_empty_value_is_named() -> None:
    """No bytes are no image."""
    with pytest.raises(EmptyFrameError):
        decode_image(b"", JPEG, max_pixels=LIMIT)


@pytest.mark.parametrize("content_type", ["text/plain", "video/mp4"])
def test_a_wrong_content_type_is_named(content_type: str) -> None:
    """The message names what came and what is taken."""
    with pytest.raises(ContentTypeError, match=f"{content_type}.*image/jpeg"):
        decode_image(encoded(gradient(), ".jpg"), content_type, max_pixels=LIMIT)


@pytest.mark.parametrize("content_type", [None, UNKNOWN])
def test_unknown_bytes_without_content_type_are_refused(content_type: str | None) -> None:
    """What nobody named and nobody recognises is not guessed at."""
    with pytest.raises(ContentTypeError, match="no content type"):
        decode_image(b"GIF89a...", content_type, max_pixels=LIMIT)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.97])
def test_a_truncated_image_is_corrupt(suffix: str, kept: float) -> None:
    """Half a frame is not passed off as a whole one, wherever it was cut."""
    value = encoded(gradient(), suffix)
    with pytest.raises(CorruptImageError):
        decode_image(value[: int(len(value) * kept)], None, max_pixels=LIMIT)


@pytest.mark.parametrize("position", [23, 300, -1])
def test_damage_of_a_png_is_told_in_the_error_alone(position: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Standard error is the log, and its lines are JSON: no library writes there by itself."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 256), dtype=np.uint8)
    value = bytearray(encoded(noise, ".png"))
    value[position] ^= 1
    with pytest.raises(CorruptImageError, match=r"chunk 'I(HDR|DAT|END)' at byte"):
        decode_image(bytes(value), PNG, max_pixels=LIMIT)
    with pytest.raises(CorruptImageError, match="cut short, 400 bytes end within chunk"):
        decode_image(encoded(noise, ".png")[:400], PNG, max_pixels=LIMIT)
    with pytest.raises(CorruptImageError):
        decode_image(png_header(9, 9), PNG, max_pixels=LIMIT)
    assert capfd.readouterr() == ("", "")


def test_an_endless_png_is_corrupt() -> None:
    """Millions of empty chunks keep nobody busy."""
    empty = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    with pytest.raises(CorruptImageError, match="more than 100000 chunks"):
        decode_image(png_header(9, 9) + 200_000 * empty, PNG, max_pixels=LIMIT)


def test_a_jpeg_with_damage_inside_is_corrupt() -> None:
    """A marker in the middle of the data, which other decoders pass over, fails the frame."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 256), dtype=np.uint8)
    value = bytearray(encoded(noise, ".jpg"))
    middle = len(value) // 2
    value[middle : middle + 2] = b"\xff\xd0"
    with pytest.raises(CorruptImageError):
        decode_image(bytes(value), JPEG, max_pixels=LIMIT)


@pytest.mark.parametrize("header", [png_header, jpeg_header])
@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 256), (1600, 0), (60_000, 60_000)])
def test_an_impossible_size_is_refused_before_decoding(header, width: int, height: int) -> None:  # noqa: ANN001
    """Neither nothing nor 3.6 gigapixels: the header alone decides, and memory is never asked for."""
    with pytest.raises(FrameSizeError, match=f"{width} x {height}"):
        decode_image(header(width, height), None, max_pixels=LIMIT)


@pytest.mark.parametrize(("width", "height"), [(None, None), (200, 47), (0, 48), (60_000, 60_000)], ids=str)
def test_raw_bytes_that_do_not_fit_their_size_are_refused(width: int | None, height: int | None) -> None:
    """A raw frame must be exactly as large as its headers say."""
    with pytest.raises(FrameSizeError):
        decode_image(gradient().tobytes(), MONO8, width_px=width, height_px=height, max_pixels=LIMIT)


@given(
    head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", jpeg_header(9, 9), png_header(9, 9)]),
    tail=st.binary(max_size=200),
    content_type=st.sampled_from([None, JPEG, PNG, MONO8, "text/plain"]),
)
def test_any_bytes_give_an_image_or_a_frame_error(head: bytes, tail: bytes, content_type: str | None) -> None:
    """Whatever a camera sends, the decoder's only exceptions are the typed ones."""
    try:
        image = decode_image(head + tail, content_type, max_pixels=LIMIT)
    except FrameError:
        return
    assert image.dtype == np.uint8
