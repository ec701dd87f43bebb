"""Type and size of an encoded image, told from its first bytes without decoding it."""

import re
from dataclasses import dataclass

JPEG = "image/jpeg"
PNG = "image/png"
UNKNOWN = "application/octet-stream"
"""Any bytes (RFC 2046, section 4.5.1): the sender did not say what they are, or did not know."""
MONO8 = "image/x-mono8"
"""Raw pixels, a byte each, row by row (GenICam PFNC ``Mono8``); the size travels in the headers."""

_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_GREY_COLOUR_TYPES = (0, 4)
# Start-of-frame markers carry the size (ITU-T T.81, table B.1); C4, C8 and CC among them are others.
_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKERS_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD9)])

# A camera's JPEG has about ten segments before its size, none of them padded. What has more is no image, and
# must not keep anybody busy: the walk ends within a millisecond, whatever the bytes are.
_MOST_SEGMENTS = 1000
_MARKER = re.compile(rb"\xff{1,64}([^\xff])")


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the first bytes say; ``grey`` is true for a single channel (with or without alpha)."""

    content_type: str
    width_px: int
    height_px: int
    grey: bool


def sniff(value: bytes) -> str | None:
    """Return the content type of a JPEG or PNG image, or None for anything else."""
    if value.startswith(_JPEG_START):
        return JPEG
    if value.startswith(_PNG_START):
        return PNG
    return None


def read_image_header(value: bytes) -> ImageHeader | None:
    """Return type and size of a JPEG or PNG image, or None where the bytes do not tell."""
    match sniff(value):
        case "image/jpeg":
            return _read_jpeg(value)
        case "image/png":
            return _read_png(value)
        case _:
            return None


def _read_png(value: bytes) -> ImageHeader | None:
    """IHDR is always the first chunk (PNG specification, 11.2.2)."""
    if value[12:16] != b"IHDR" or len(value) < 26:  # noqa: PLR2004 - offsets of the specification
        return None
    width = int.from_bytes(value[16:20], "big")
    height = int.from_bytes(value[20:24], "big")
    return ImageHeader(PNG, width, height, grey=value[25] in _PNG_GREY_COLOUR_TYPES)


def _read_jpeg(value: bytes) -> ImageHeader | None:
    """Walk the marker segments up to the start of frame (ITU-T T.81, annex B)."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.match(value, at)
        if found is None or found.end() + 8 > len(value):
            return None
        marker, at = found[1][0], found.end()
        if marker in _SOF_MARKERS:
            height = int.from_bytes(value[at + 3 : at + 5], "big")
            width = int.from_bytes(value[at + 5 : at + 7], "big")
            return ImageHeader(JPEG, width, height, grey=value[at + 7] == 1)
        if marker not in _MARKERS_WITHOUT_LENGTH:
            at += int.from_bytes(value[at : at + 2], "big")
    return None
