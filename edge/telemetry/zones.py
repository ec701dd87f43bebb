"""Places across the strip, coarse enough to be labels."""

ZONE_MM = 100
# Wider than any strip that is rolled; beyond it lies only what a wrong offset or pitch has put there.
WIDEST_STRIP_MM = 4000
ELSEWHERE = "other"


def strip_zones() -> tuple[str, ...]:
    """Return all zones: 40 across the widest strip, and ``other``."""
    return (*map(strip_zone, range(0, WIDEST_STRIP_MM, ZONE_MM)), ELSEWHERE)


def strip_zone(x_mm: float) -> str:
    """Return the 100 mm of strip in which a place lies: ``0000-0100`` to ``3900-4000``, or ``other``.

    Args:
        x_mm: from the operator-side edge, across the strip.
    """
    if not 0 <= x_mm < WIDEST_STRIP_MM:
        return ELSEWHERE
    begin_mm = int(x_mm // ZONE_MM) * ZONE_MM
    return f"{begin_mm:04d}-{begin_mm + ZONE_MM:04d}"
