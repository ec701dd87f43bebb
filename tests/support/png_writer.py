"""PNGs as the specification allows them and most encoders never write them: chunk by chunk, row by row."""

import random
import struct
import zlib
from collections.abc import Iterable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
LAYOUTS = [(depth, 0) for depth in (1, 2, 4, 8, 16)] + [(depth, 3) for depth in (1, 2, 4, 8)]
LAYOUTS += [(depth, colour) for colour in (2, 4, 6) for depth in (8, 16)]
"""All 15 pairs of bit depth and colour type."""

# Adam7: first column, first row, step across, step down (PNG specification, 8.2).
_PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
_FILTERS = 5

Chunk = tuple[bytes, bytes]


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """Length, name, data, and a CRC that is right."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(chunks: Iterable[Chunk]) -> bytes:
    """The signature and the chunks behind it."""
    return SIGNATURE + b"".join(chunk(name, data) for name, data in chunks)


def ihdr(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> Chunk:
    """The header chunk."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


def palette(depth: int, colour: int) -> list[Chunk]:
    """As many colours as the pixels' bits can tell, for images that need them."""
    return [(b"PLTE", bytes(random.Random(depth).randbytes(3 * 2**depth)))] if colour == 3 else []  # noqa: S311


def rows(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> bytes:
    """Rows of any content, filtered in every way, as they lie in the pixels' stream before deflation."""
    chance = random.Random(width * height)  # noqa: S311 - the same picture every time
    sizes = [(width, height)]
    if interlaced:
        sizes = [((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in _PASSES]
    return b"".join(
        bytes([chance.randrange(_FILTERS)]) + chance.randbytes((columns * depth * CHANNELS[colour] + 7) // 8)
        for columns, count in sizes
        if columns
        for _ in range(count)
    )


def chunks_of(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> list[Chunk]:
    """A whole image of such a layout."""
    pixels = zlib.compress(rows(width, height, depth, colour, interlaced))
    header = ihdr(width, height, depth, colour, interlaced)
    return [header, *palette(depth, colour), (b"IDAT", pixels), (b"IEND", b"")]
