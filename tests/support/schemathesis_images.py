"""Hooks of Schemathesis: bodies that are said to be images are images, most of the time.

Random bytes would be refused before anything else is looked at. Its command line loads this file.
"""

import cv2
import numpy as np
import schemathesis
from hypothesis import strategies as st


def _encoded(kind: str, width: int, height: int) -> bytes:
    pixels = np.arange(width * height, dtype=np.uint32).reshape(height, width) % 251
    return cv2.imencode(kind, pixels.astype(np.uint8))[1].tobytes()


def _images(kind: str) -> st.SearchStrategy[bytes]:
    sides = st.integers(1, 64)
    return st.builds(_encoded, st.just(kind), sides, sides)


for media_type, kind in (("image/png", ".png"), ("image/jpeg", ".jpg"), ("application/octet-stream", ".png")):
    schemathesis.openapi.media_type(media_type, _images(kind))
