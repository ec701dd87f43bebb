"""The kept hostile images, each under its outcome: ``python -m tests.support.hostile.corpus`` writes them.

Those that were found otherwise are added to the folder as they are.
"""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

from tests.support.png_writer import Chunk, chunks_of, ihdr, png, rows

FOLDER = Path(__file__).parents[2] / "edge" / "pipeline" / "hostile_frames"

_HEADER, _IDAT, _END = chunks_of(8, 8, 8, 0)
_ANIMATION = (b"acTL", struct.pack(">II", 2, 0))
_HUGE_PICTURE = (b"fcTL", struct.pack(">IIIIIHHBB", 1, 2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0))
_SOS, _SOF = b"\xff\xda", b"\xff\xc0"


def images() -> dict[str, bytes]:
    """By ``<outcome>/<what is wrong>``."""
    return {f"{name}.png": png(chunks) for name, chunks in _pngs().items()} | {
        f"{name}.jpg": value for name, value in _jpegs().items()
    }


def _pngs() -> dict[str, list[Chunk]]:
    """All their CRCs are right."""
    pixels = _IDAT[1]
    return {
        "corrupt_image/no-zlib-stream": [_HEADER, (b"IDAT", b"\x78\x9c\xff\xff"), _END],
        "corrupt_image/wrong-adler": [_HEADER, (b"IDAT", pixels[:-1] + bytes([pixels[-1] ^ 1])), _END],
        "corrupt_image/stream-without-end": [_HEADER, (b"IDAT", pixels[:-1]), _END],
        "corrupt_image/last-row-missing": [_HEADER, (b"IDAT", zlib.compress(rows(8, 7, 8, 0))), _END],
        "corrupt_image/bomb": [_HEADER, (b"IDAT", zlib.compress(bytes(2**19))), _END],
        "corrupt_image/unknown-filter": [_HEADER, (b"IDAT", zlib.compress(b"\x05" * 72)), _END],
        "corrupt_image/unknown-critical-chunk": [_HEADER, (b"EVIL", b""), _IDAT, _END],
        "corrupt_image/two-headers": [_HEADER, ihdr(1, 1, 8, 0), _IDAT, _END],
        "corrupt_image/no-palette": [ihdr(8, 8, 8, 3), _IDAT, _END],
        "corrupt_image/seven-bits": [ihdr(8, 8, 7, 0), _IDAT, _END],
        "corrupt_image/no-pixels": [_HEADER, _END],
        "bad_size/largest-of-all": [ihdr(2**32 - 1, 2**32 - 1, 16, 6), _IDAT, _END],
        "bad_size/no-rows": [ihdr(8, 0, 8, 0), _IDAT, _END],
        "inspected/animation-of-huge-pictures": [_HEADER, _ANIMATION, _IDAT, _HUGE_PICTURE, _END],
        "inspected/torn-colour-profile": [_HEADER, (b"iCCP", b"x\0\0torn"), _IDAT, _END],
        "inspected/text-bomb": [_HEADER, (b"zTXt", b"x\0\0" + zlib.compress(bytes(2**19))), _IDAT, _END],
        "inspected/too-few-colours": [ihdr(8, 8, 8, 3), (b"PLTE", b"bgr"), _IDAT, _END],
        "inspected/interlaced-colour-of-16-bits": chunks_of(9, 5, 16, 6, 1),
    }


def _jpegs() -> dict[str, bytes]:
    baseline, progressive = _jpeg("L"), _jpeg("L", progressive=True)
    *begin, last = progressive[:-2].split(_SOS)
    frame = baseline.index(_SOF)
    return {
        "corrupt_image/endless-scans": _SOS.join([*begin, *100 * [last]]) + b"\xff\xd9",
        "corrupt_image/two-frames": baseline[:frame]
        + 2 * baseline[frame : frame + 13]
        + baseline[frame + 13 :],
        "corrupt_image/no-end": baseline[:-2],
        "corrupt_image/marker-in-its-data": baseline[:-4] + b"\xff\xd0" + baseline[-4:],
        "corrupt_image/ten-bits": baseline[: frame + 4] + b"\x0a" + baseline[frame + 5 :],
        "inspected/four-inks": _jpeg("CMYK"),
        "corrupt_image/hidden-before-its-header": b"\xff\xd8\xff\0\0\x20" + baseline[2:32] + baseline[2:],
        "bad_size/no-columns": baseline[: frame + 7] + b"\0\0" + baseline[frame + 9 :],
        "bad_size/largest-of-all": baseline[: frame + 5] + b"\xff\xff\xff\xff" + baseline[frame + 9 :],
        "inspected/progressive": progressive,
    }


def _jpeg(mode: str, **way: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((8, 8)).convert(mode).save(file, "JPEG", quality=10, **way)
    return file.getvalue()


if __name__ == "__main__":
    for name, value in images().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)
