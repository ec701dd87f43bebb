"""Images that somebody or something has been at: structure and bytes changed in ways that decoders see."""

import struct
import zlib
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from tests.support.hostile.pictures import jpegs, others, pngs
from tests.support.png_writer import SIGNATURE, Chunk, png

Draw = st.DrawFn
Segment = tuple[int, bytes, bytes]
"""A JPEG's marker, its data, and the entropy-coded bytes behind it."""
Part = TypeVar("Part", Chunk, Segment)

_SIZES = [0, 1, 2, 255, 512, 513, 2**15, 2**16 - 1, 2**20, 2**31 - 1, 2**31, 2**32 - 1]
_MAGIC = [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", SIGNATURE, SIGNATURE + b"\0\0\0\rIHDR", b"GIF89a"]
_CHUNK_NAMES = [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"acTL", b"fdAT", b"EVIL", b"\0\0\0\0"]
_MARKERS = [*range(0xC0, 0xE2), 0x00, 0x01, 0xEE, 0xF7, 0xFE]
_SOF, _SOS = 0xC0, 0xDA
_WITHOUT_DATA = {0x00, 0x01, *range(0xD0, 0xDA)}
_MOST_CHANGES = 3


@st.composite
def images(draw: Draw) -> bytes:
    """A few changes to a whole image; or bytes of no sense behind a beginning that has some."""
    kind = draw(st.sampled_from(["png", "png", "jpeg", "jpeg", "other", "bytes"]))
    if kind == "bytes":
        value = draw(st.sampled_from(_MAGIC)) + draw(st.binary(max_size=300))
    elif kind == "other":
        value = draw(st.sampled_from(others()))
    else:
        value = draw(_changed_png() if kind == "png" else _changed_jpeg())
    for change in draw(st.lists(st.sampled_from(_ON_BYTES), max_size=2)):
        value = change(draw, value)
    return value


@st.composite
def _changed_png(draw: Draw) -> bytes:
    """Chunks changed, and their CRCs right again: the decoder itself has to see it."""
    chunks = _chunks(draw(st.sampled_from(pngs())))
    for change in draw(st.lists(st.sampled_from(_ON_CHUNKS), max_size=_MOST_CHANGES)):
        if chunks:
            change(draw, chunks)
    return png(chunks)


@st.composite
def _changed_jpeg(draw: Draw) -> bytes:
    """Segments changed; lengths are right unless they were made to lie."""
    segments = _segments(draw(st.sampled_from(jpegs())))
    for change in draw(st.lists(st.sampled_from(_ON_SEGMENTS), max_size=_MOST_CHANGES)):
        if segments:
            change(draw, segments)
    return b"\xff\xd8" + b"".join(_written(segment) for segment in segments)


# --- bytes -----------------------------------------------------------------


def _at(draw: Draw, value: bytes) -> int:
    return draw(st.integers(0, len(value)))


def _flip_bits(draw: Draw, value: bytes) -> bytes:
    changed = bytearray(value)
    for at in draw(st.lists(st.integers(0, max(len(value) - 1, 0)), max_size=4)) if value else ():
        changed[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _cut_off(draw: Draw, value: bytes) -> bytes:
    return value[: _at(draw, value)]


def _cut_out(draw: Draw, value: bytes) -> bytes:
    begin, end = sorted((_at(draw, value), _at(draw, value)))
    return value[:begin] + value[end:]


def _repeat_part(draw: Draw, value: bytes) -> bytes:
    begin, end = sorted((_at(draw, value), _at(draw, value)))
    return value[:end] + draw(st.integers(1, 20)) * value[begin:end] + value[end:]


def _put_in(draw: Draw, value: bytes) -> bytes:
    at = _at(draw, value)
    return value[:at] + draw(st.binary(max_size=20)) + value[at:]


def _overwrite(draw: Draw, value: bytes) -> bytes:
    at, new = _at(draw, value), draw(st.sampled_from(_SIZES)).to_bytes(4, "big")
    return value[:at] + new + value[at + 4 :]


def _splice(draw: Draw, value: bytes) -> bytes:
    other = draw(st.sampled_from([*pngs(), *jpegs()]))
    return value[: _at(draw, value)] + other[_at(draw, other) :]


_ON_BYTES: list[Callable[[Draw, bytes], bytes]] = [
    *(_flip_bits, _cut_off, _cut_out, _repeat_part, _put_in, _overwrite, _splice)
]

# --- parts, be they chunks or segments -------------------------------------


def _which(draw: Draw, parts: list[Part]) -> int:
    return draw(st.integers(0, len(parts) - 1))


def _drop(draw: Draw, parts: list[Part]) -> None:
    del parts[_which(draw, parts)]


def _repeat(draw: Draw, parts: list[Part]) -> None:
    """Up to more of one than are let through."""
    at = _which(draw, parts)
    parts[at:at] = draw(st.integers(1, 150)) * [parts[at]]


def _swap(draw: Draw, parts: list[Part]) -> None:
    one, other = _which(draw, parts), _which(draw, parts)
    parts[one], parts[other] = parts[other], parts[one]


# --- PNG -------------------------------------------------------------------


def _chunks(value: bytes) -> list[Chunk]:
    chunks, at = [], len(SIGNATURE)
    while at < len(value):
        length = int.from_bytes(value[at : at + 4], "big")
        chunks.append((value[at + 4 : at + 8], value[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _rename_chunk(draw: Draw, chunks: list[Chunk]) -> None:
    at = _which(draw, chunks)
    chunks[at] = (draw(st.sampled_from(_CHUNK_NAMES)), chunks[at][1])


def _damage_chunk(draw: Draw, chunks: list[Chunk]) -> None:
    at = _which(draw, chunks)
    name, data = chunks[at]
    chunks[at] = (name, draw(st.sampled_from(_ON_BYTES))(draw, data))


def _new_chunk(draw: Draw, chunks: list[Chunk]) -> None:
    new = (draw(st.sampled_from(_CHUNK_NAMES)), draw(st.binary(max_size=40)))
    chunks.insert(_which(draw, chunks), new)


def _lie_in_ihdr(draw: Draw, chunks: list[Chunk]) -> None:
    """Another size, depth or colour type than the rows have."""
    name, data = chunks[0]
    if name != b"IHDR" or len(data) != 13:
        return
    fields = list(struct.unpack(">IIBBBBB", data))
    at = draw(st.integers(0, len(fields) - 1))
    sizes, numbers = st.integers(0, 600) | st.sampled_from(_SIZES), st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16])
    fields[at] = draw(sizes if at < 2 else numbers)
    chunks[0] = (name, struct.pack(">IIBBBBB", *fields))


def _change_rows(draw: Draw, chunks: list[Chunk]) -> None:
    """What lies within the deflated stream: unknown filters, rows too many or too few, bombs."""
    for at, (name, data) in enumerate(chunks):
        if name == b"IDAT":
            rows = draw(st.sampled_from(_ON_BYTES))(draw, _inflated(data))
            bomb = bytes(draw(st.sampled_from([0, 0, 0, 2**10, 2**22])))
            chunks[at] = (name, zlib.compress(rows + bomb, draw(st.integers(0, 9))))
            return


def _split_rows(draw: Draw, chunks: list[Chunk]) -> None:
    """Several IDATs, as the specification allows, empty ones among them."""
    for at, (name, data) in enumerate(chunks):
        if name == b"IDAT":
            cut = _at(draw, data)
            chunks[at : at + 1] = [(name, data[:cut]), (name, b""), (name, data[cut:])]
            return


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 2**16)
    except zlib.error:
        return data


_ON_CHUNKS: list[Callable[[Draw, list[Chunk]], None]] = [
    *(
        _drop,
        _repeat,
        _swap,
        _rename_chunk,
        _damage_chunk,
        _new_chunk,
        _lie_in_ihdr,
        _change_rows,
        _split_rows,
    )
]

# --- JPEG ------------------------------------------------------------------


def _segments(value: bytes) -> list[Segment]:
    """Markers behind the first; what follows a scan's header up to the next marker goes with it."""
    segments, at = [], 2
    while at < len(value):
        marker, begin = value[at + 1], at + 2
        end = begin if marker in _WITHOUT_DATA else begin + int.from_bytes(value[begin : begin + 2], "big")
        at = _next_marker(value, end)
        segments.append((marker, value[begin + 2 : end], value[end:at]))
    return segments


def _next_marker(value: bytes, at: int) -> int:
    while at < len(value) and not (value[at] == 0xFF and value[at + 1 : at + 2] not in (b"\0", b"")):
        at += 1
    return at


def _written(segment: Segment) -> bytes:
    marker, data, scan = segment
    length = b"" if marker in _WITHOUT_DATA else struct.pack(">H", min(len(data) + 2, 2**16 - 1))
    return b"\xff" + bytes([marker]) + length + data + scan


def _rename_segment(draw: Draw, segments: list[Segment]) -> None:
    at = _which(draw, segments)
    segments[at] = (draw(st.sampled_from(_MARKERS)), *segments[at][1:])


def _damage_segment(draw: Draw, segments: list[Segment]) -> None:
    at = _which(draw, segments)
    marker, data, scan = segments[at]
    segments[at] = (marker, draw(st.sampled_from(_ON_BYTES))(draw, data), scan)


def _damage_scan(draw: Draw, segments: list[Segment]) -> None:
    scans = [at for at, (marker, _, _) in enumerate(segments) if marker == _SOS]
    if scans:
        at = draw(st.sampled_from(scans))
        marker, data, scan = segments[at]
        segments[at] = (marker, data, draw(st.sampled_from(_ON_BYTES))(draw, scan))


def _new_segment(draw: Draw, segments: list[Segment]) -> None:
    new = (draw(st.sampled_from(_MARKERS)), draw(st.binary(max_size=40)), draw(st.binary(max_size=4)))
    segments.insert(_which(draw, segments), new)


def _lie_in_frame(draw: Draw, segments: list[Segment]) -> None:
    """Another precision, size, number of components or sampling than the scans have."""
    for at, (marker, data, scan) in enumerate(segments):
        if _SOF <= marker <= _SOF + 2 and len(data) > 6:
            sides = st.integers(0, 600) | st.sampled_from([2**15, 2**16 - 1])
            precision, components = draw(st.sampled_from([8, 8, 8, 12, 2])), draw(st.integers(0, 5))
            size = struct.pack(">HH", draw(sides), draw(sides))
            lied = bytes([precision]) + size + draw(st.sampled_from([data[5:6], bytes([components])]))
            segments[at] = (marker, lied + draw(st.sampled_from([data[6:], data[6:] + data[6:]])), scan)
            return


_ON_SEGMENTS: list[Callable[[Draw, list[Segment]], None]] = [
    *(_drop, _repeat, _swap, _rename_segment, _damage_segment),
    *(_damage_scan, _damage_scan, _new_segment, _lie_in_frame),
]
