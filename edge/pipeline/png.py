"""PNG to pixels: chunks and the stream of rows are checked here, Pillow undoes the rows' filters.

libpng, which OpenCV decodes with, writes of damage to standard error, past the log, and of oddities that are
none. Here damage is only raised. Chunks for people and screens (text, colour profiles, animations, an
orientation, which would turn the strip) are held to their CRC and else left alone.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from edge.contracts.image_header import PNG
from edge.errors import CorruptImageError
from edge.vision.runtime import Image

# Encoders write pixels in chunks of 8 KiB and more. What has more chunks than this is no frame, and must not
# keep us busy.
_MOST_CHUNKS = 100_000
_SIGNATURE_BYTES = 8
_IHDR = struct.Struct(">IIBBBBB")  # PNG specification, 11.2.2
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_ANCILLARY = 0x20  # a lower-case first letter (5.4)
_LARGEST_PALETTE_BYTES = 256 * 3
# What goes from one library to the next is copied piece by piece: a whole frame of it would double the memory
# that decoding takes.
_PIECE_BYTES = 2**16
_PIECE_PIXELS = 2**18
# Adam7 (8.2): first column, first row, step across, step down.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


class _Layout(NamedTuple):
    """By Pillow's names: how pixels are kept, how the rows hold them, and what is taken of them."""

    kept: str
    stored: str
    taken: str


# By bit depth and colour type (table 11.1). Of 16 bits the upper eight are read, alpha is not taken.
_LAYOUTS = {
    (1, 0): _Layout("1", "1", "L"),
    (2, 0): _Layout("L", "L;2", "L"),
    (4, 0): _Layout("L", "L;4", "L"),
    (8, 0): _Layout("L", "L", "L"),
    (16, 0): _Layout("L", "L;16B", "L"),
    (8, 2): _Layout("RGB", "RGB", "BGR"),
    (16, 2): _Layout("RGB", "RGB;16B", "BGR"),
    (1, 3): _Layout("P", "P;1", "P"),
    (2, 3): _Layout("P", "P;2", "P"),
    (4, 3): _Layout("P", "P;4", "P"),
    (8, 3): _Layout("P", "P", "P"),
    (8, 4): _Layout("RGBA", "LA", "R"),
    (16, 4): _Layout("RGBA", "LA;16B", "R"),
    (8, 6): _Layout("RGBA", "RGBA", "BGR"),
    (16, 6): _Layout("RGBA", "RGBA;16B", "BGR"),
}


class _Header(NamedTuple):
    """What IHDR says; ``bits`` is those of a whole pixel."""

    width: int
    height: int
    bits: int
    layout: _Layout
    interlaced: bool


def decode_png(value: bytes) -> Image:
    """Decode a PNG whose size has been found allowable.

    Returns:
        (H, W) uint8 for grey images, with or without alpha; (H, W, 3) uint8 in BGR order for others.

    Raises:
        CorruptImageError: the image is cut short or damaged; the message names the chunk.
    """
    chunks = _critical_chunks(value)
    header = _read_ihdr(chunks[b"IHDR"])
    image = _unfilter(header, _restore(chunks[b"IDAT"], _size_of_rows(header)))
    pixels = _pixels(image, header.layout.taken)
    return _palette(chunks[b"PLTE"])[pixels] if header.layout.taken == "P" else pixels


def _critical_chunks(value: bytes) -> defaultdict[bytes, bytes]:
    """Walk the chunks to the end of the image: length, type, data and CRC each (5.3); join them by name."""
    view, at = memoryview(value), _SIGNATURE_BYTES
    found: defaultdict[bytes, list[memoryview]] = defaultdict(list)
    for _ in range(_MOST_CHUNKS):
        name = value[at + 4 : at + 8]
        data_end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if data_end + 4 > len(value):
            raise CorruptImageError(f"{PNG}: cut short, {len(value)} bytes end within chunk {_shown(name)}")
        if zlib.crc32(view[at + 4 : data_end]) != int.from_bytes(view[data_end : data_end + 4], "big"):
            raise CorruptImageError(f"{PNG}: damaged, chunk {_shown(name)} at byte {at} has a wrong CRC")
        if name in _CRITICAL:
            found[name].append(view[at + 8 : data_end])
        elif not name[0] & _ANCILLARY:
            raise CorruptImageError(f"{PNG}: chunk {_shown(name)} at byte {at} is of no known type")
        if name == b"IEND":
            return defaultdict(bytes, {name: b"".join(parts) for name, parts in found.items()})
        at = data_end + 4
    raise CorruptImageError(f"{PNG}: more than {_MOST_CHUNKS} chunks")


def _read_ihdr(data: bytes) -> _Header:
    if len(data) != _IHDR.size:
        raise CorruptImageError(f"{PNG}: chunk 'IHDR' has {len(data)} bytes and not {_IHDR.size}")
    width, height, depth, colour, compression, filtering, interlaced = _IHDR.unpack(data)
    layout = _LAYOUTS.get((depth, colour))
    if layout is None or compression or filtering or interlaced > 1:
        raise CorruptImageError(f"{PNG}: chunk 'IHDR' asks for what PNG does not know: {data[8:].hex(' ')}")
    return _Header(width, height, depth * _CHANNELS[colour], layout, bool(interlaced))


def _size_of_rows(header: _Header) -> int:
    """Return the bytes of all rows, each with its filter's number before it (7.2)."""
    sizes = [(header.width, header.height)]
    if header.interlaced:
        sizes = [(-(-(header.width - x) // dx), -(-(header.height - y) // dy)) for x, y, dx, dy in _PASSES]
    return sum(rows * (1 + (columns * header.bits + 7) // 8) for columns, rows in sizes if columns > 0)


def _restore(deflated: bytes, size: int) -> bytearray:
    """Return the stream of rows as one without compression, which Pillow reads as fast as memory.

    Pillow itself takes a stream that ends early for an image whose last rows are black.
    """
    storer, stored, missing = zlib.compressobj(0), bytearray(), size
    for rows in _inflate(deflated):
        stored += storer.compress(rows)
        missing -= len(rows)
        if missing < 0:
            raise CorruptImageError(f"{PNG}: chunk 'IDAT' holds more than the {size} bytes of all rows")
    if missing:
        raise CorruptImageError(f"{PNG}: chunk 'IDAT' lacks {missing} of the {size} bytes of all rows")
    stored += storer.flush()
    return stored


def _inflate(deflated: bytes) -> Iterator[bytes]:
    """Yield what was deflated in small pieces, also where few bytes say very much."""
    inflater = zlib.decompressobj()
    try:
        for at in range(0, len(deflated), _PIECE_BYTES):
            piece = inflater.decompress(deflated[at : at + _PIECE_BYTES], _PIECE_BYTES)
            yield piece
            while len(piece) == _PIECE_BYTES:
                piece = inflater.decompress(inflater.unconsumed_tail, _PIECE_BYTES)
                yield piece
            if inflater.eof:
                return
    except zlib.error as error:
        raise CorruptImageError(f"{PNG}: damaged, chunk 'IDAT': {error}") from None
    raise CorruptImageError(f"{PNG}: cut short, the stream in chunk 'IDAT' has no end")


def _unfilter(header: _Header, stored: bytearray) -> Pillow.Image:
    size, layout = (header.width, header.height), header.layout
    try:
        return Pillow.frombytes(layout.kept, size, stored, "zip", layout.stored, int(header.interlaced))
    except ValueError as error:
        raise CorruptImageError(f"{PNG}: damaged, chunk 'IDAT': {error}") from None


def _pixels(image: Pillow.Image, taken: str) -> Image:
    width, height = image.size
    pixels = np.empty((height, width, 3) if taken == "BGR" else (height, width), np.uint8)
    rows = max(_PIECE_PIXELS // width, 1)
    for top in range(0, height, rows):
        piece = pixels[top : top + rows]
        data = image.crop((0, top, width, top + len(piece))).tobytes("raw", taken)
        piece[:] = np.frombuffer(data, np.uint8).reshape(piece.shape)
    return pixels


def _palette(data: bytes) -> Image:
    """Return (256, 3) uint8 in BGR order; colours that the palette has not are black."""
    if not data or len(data) % 3 or len(data) > _LARGEST_PALETTE_BYTES:
        raise CorruptImageError(f"{PNG}: chunk 'PLTE' has {len(data)} bytes, which is no palette")
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(data) // 3] = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, ::-1]
    return colours


def _shown(name: bytes) -> str:
    return repr(name)[1:]
