"""Colours and what they mean: thresholds, and words for values."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DashboardSpecialValueMapOptions,
    RangeMap,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GOOD, WATCH, BAD, PLAIN = "green", "orange", "red", "blue"

# A camera on a running line sends several frames a second. After 10 s something is odd, after a minute the
# camera, its line or the way to the broker stands still.
LATE_S, SILENT_S = 10, 60

Colour = str


def thresholds(base: Colour, *steps: tuple[float, Colour]) -> ThresholdsConfig:
    """Return colours that begin at these values; ``base`` holds below the first."""
    first = Threshold(value=None, color=base)
    rest = [Threshold(value=value, color=colour) for value, colour in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([first, *rest])


PLAINLY = thresholds(PLAIN)  # a number that is neither good nor bad
NONE_IS_GOOD = thresholds(GOOD, (1e-9, WATCH))  # any at all deserves a look
SILENCE = thresholds(GOOD, (LATE_S, WATCH), (SILENT_S, BAD))


def words(meanings: Mapping[int, tuple[str, Colour]], otherwise: tuple[str, Colour]) -> list[ValueMapping]:
    """Return words in place of values, and those for a value that is absent."""
    options = {str(value): _result(*meaning) for value, meaning in meanings.items()}
    absent = DashboardSpecialValueMapOptions(SpecialValueMatch.NULL, _result(*otherwise))
    return [ValueMap(options), SpecialValueMap(absent)]


def spans(*meanings: tuple[float | None, float | None, str, Colour]) -> list[ValueMapping]:
    """Return words in place of spans of values, each from, to, word, colour."""
    return [
        RangeMap(DashboardRangeMapOptions(start, end, _result(word, colour)))
        for start, end, word, colour in meanings
    ]


def _result(text: str, colour: Colour) -> ValueMappingResult:
    return ValueMappingResult(text=text, color=colour)
