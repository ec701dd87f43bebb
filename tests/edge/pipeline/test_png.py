"""PNG: every layout of the specification to the pixel, and what is wrong said in the error alone."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from edge.errors import CorruptImageError
from edge.pipeline.decode import Image
from edge.pipeline.png import decode_png
from tests.support.png_writer import LAYOUTS, Chunk, chunks_of, ihdr, png, rows

HEADER = ihdr(8, 8, 8, 0)
PIXELS = zlib.compress(rows(8, 8, 8, 0))
END = (b"IEND", b"")


def as_opencv_decodes(value: bytes, *, grey: bool) -> Image:
    """The pixels that libpng finds."""
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    return cv2.imdecode(np.frombuffer(value, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize(("depth", "colour"), LAYOUTS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 7), (67, 13)])
def test_every_layout_comes_out_as_libpng_decodes_it(
    width: int, height: int, depth: int, colour: int, interlaced: int
) -> None:
    """Grey, colour, palette and alpha, 1 to 16 bits, all five filters, interlaced or not."""
    value = png(chunks_of(width, height, depth, colour, interlaced))
    expected = as_opencv_decodes(value, grey=colour in (0, 4))
    assert np.array_equal(decode_png(value), expected)


def test_a_frame_of_many_pieces_is_whole() -> None:
    """Large frames are copied piece by piece; none is missing, the last is shorter."""
    image = np.random.default_rng(0).integers(0, 256, (700, 1001, 3), dtype=np.uint8)
    assert np.array_equal(decode_png(cv2.imencode(".png", image)[1].tobytes()), image)


@pytest.mark.parametrize(
    ("chunks", "named"),
    [
        ([HEADER, (b"IDAT", b"\x78\x9c\xff\xff\xff\xff"), END], "IDAT"),
        ([HEADER, (b"IDAT", PIXELS[:-1]), END], "IDAT"),
        ([HEADER, (b"IDAT", PIXELS[:-1] + bytes([PIXELS[-1] ^ 1])), END], "IDAT"),
        ([HEADER, (b"IDAT", zlib.compress(bytes(9 * 7))), END], "'IDAT' lacks 9 of the 72 bytes"),
        ([HEADER, (b"IDAT", zlib.compress(bytes(10**6))), END], "'IDAT' holds more than the 72 bytes"),
        ([HEADER, (b"IDAT", zlib.compress(b"\x09" * 9 * 8)), END], "IDAT"),
        ([HEADER, END], "IDAT"),
        ([HEADER, HEADER, (b"IDAT", PIXELS), END], "'IHDR' has 26 bytes"),
        ([(b"IHDR", HEADER[1] + b"\0"), (b"IDAT", PIXELS), END], "'IHDR' has 14 bytes"),
        ([ihdr(8, 8, 7, 0), (b"IDAT", PIXELS), END], "'IHDR'.* 07 00 00 00 00"),
        ([ihdr(8, 8, 16, 3), (b"IDAT", PIXELS), END], "'IHDR'.* 10 03 00 00 00"),
        ([ihdr(8, 8, 8, 0, 2), (b"IDAT", PIXELS), END], "'IHDR'.* 08 00 00 00 02"),
        ([(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 1, 0, 0)), END], "'IHDR'.* 08 00 01 00 00"),
        ([ihdr(8, 8, 8, 3), (b"IDAT", PIXELS), END], "'PLTE' has 0 bytes"),
        ([ihdr(8, 8, 8, 3), (b"PLTE", b"abcd"), (b"IDAT", PIXELS), END], "'PLTE' has 4 bytes"),
        ([ihdr(8, 8, 8, 3), (b"PLTE", bytes(771)), (b"IDAT", PIXELS), END], "'PLTE' has 771 bytes"),
        ([HEADER, (b"EVIL", b""), (b"IDAT", PIXELS), END], "'EVIL' at byte 33 is of no known type"),
    ],
    ids=str,
)
def test_what_no_checksum_finds_is_told_in_the_error_alone(
    chunks: list[Chunk], named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every CRC is right, the chunks are wrong: the error names which, and standard error stays the log's."""
    with pytest.raises(CorruptImageError, match=named):
        decode_png(png(chunks))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "ancillary",
    [(b"iCCP", b"x\0\0torn"), (b"gAMA", b"x"), (b"zTXt", b"x\0\0" + zlib.compress(bytes(10**6)))],
    ids=lambda chunk: chunk[0].decode(),
)
def test_what_only_people_and_screens_read_fails_no_frame(
    ancillary: Chunk, capfd: pytest.CaptureFixture[str]
) -> None:
    """A camera with an odd colour profile is inspected, and nothing is said beside the log."""
    expected = decode_png(png([HEADER, (b"IDAT", PIXELS), END]))
    assert np.array_equal(decode_png(png([HEADER, ancillary, (b"IDAT", PIXELS), END])), expected)
    assert capfd.readouterr() == ("", "")


def test_an_animation_shows_its_image() -> None:
    """Frames that follow it, of whatever size they say to be, are never looked at."""
    control = struct.pack(">IIIIIHHBB", 1, 2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0)
    animation = [(b"acTL", bytes([0, 0, 0, 2, 0, 0, 0, 0])), (b"IDAT", PIXELS), (b"fcTL", control)]
    expected = decode_png(png([HEADER, (b"IDAT", PIXELS), END]))
    assert np.array_equal(decode_png(png([HEADER, *animation, (b"fdAT", bytes(4) + PIXELS), END])), expected)
