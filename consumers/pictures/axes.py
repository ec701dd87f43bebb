"""Where an axis has its ticks."""

import math
from dataclasses import dataclass

_MINOR_STEPS = 5
_NICE_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick ``at`` so many pixels from the axis' beginning; minor ones have no text."""

    at: float
    text: str | None


def ticks(start: float, pitch: float, length_px: int, min_distance_px: float) -> list[Tick]:
    """Return the ticks of an axis that begins at ``start`` and counts ``pitch`` units a pixel.

    Numbered ticks stand at whole multiples of 1, 2 or 5 times a power of ten, at least ``min_distance_px``
    apart; between two of them the minor ones.
    """
    step = nice_step(pitch * min_distance_px)
    minor = step / _MINOR_STEPS
    first = math.ceil(start / minor - 1e-9)
    last = math.floor((start + pitch * length_px) / minor + 1e-9)
    return [
        Tick(
            (number * minor - start) / pitch,
            _text(number * minor, step) if number % _MINOR_STEPS == 0 else None,
        )
        for number in range(first, last + 1)
    ]


def nice_step(at_least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below ``at_least``."""
    magnitude = 10.0 ** math.floor(math.log10(at_least))
    return next(nice * magnitude for nice in _NICE_STEPS if nice * magnitude >= at_least * (1 - 1e-9))


def _text(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{decimals}f}".replace(",", " ")
