"""Places across the strip as labels."""

import math

import pytest

from edge.telemetry.zones import strip_zone, strip_zones


@pytest.mark.parametrize(
    ("x_mm", "zone"),
    [
        (0.0, "0000-0100"),
        (99.9, "0000-0100"),
        (100.0, "0100-0200"),
        (1234.5, "1200-1300"),
        (3999.9, "3900-4000"),
        (4000.0, "other"),
        (-0.1, "other"),
        (math.inf, "other"),
        (math.nan, "other"),
    ],
)
def test_a_place_has_its_100_mm(x_mm: float, zone: str) -> None:
    """Each zone begins where the one before ends; what lies on no strip is other."""
    assert strip_zone(x_mm) == zone


def test_there_are_41_zones() -> None:
    """However wild the places, the label stays bounded."""
    zones = {strip_zone(float(x_mm)) for x_mm in range(-5000, 9000, 7)}
    assert len(zones) == 41
    assert zones == set(strip_zones())
