"""The frames that all contestants look at: drawn strip, 1600 x 256, as a camera encodes it."""

from functools import cache

from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg

DISTINCT_FRAMES = 16
WIDTH_PX, HEIGHT_PX = 1600, 256
MAX_PIXELS = 10**7


@cache
def jpegs() -> tuple[bytes, ...]:
    """Return grey JPEGs of about 64 kB, no two alike."""
    strip = SyntheticStrip(seed=7)
    return tuple(encode_grey_jpeg(strip.frame(number).image) for number in range(DISTINCT_FRAMES))
