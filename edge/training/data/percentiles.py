"""A distribution in a few figures."""

from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Mean, extremes and percentiles of ``count`` numbers."""

    count: int
    mean: float
    min: float
    p1: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Self | None:
        """Return those of numbers; None if there are none."""
        return cls.of_some(values) if np.size(values) else None

    @classmethod
    def of_some(cls, values: npt.ArrayLike) -> Self:
        """Return those of one number or more, interpolated between neighbours."""
        numbers = np.asarray(values, dtype=np.float64)
        names = ("min", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "max")
        levels = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
        percentiles = dict(zip(names, np.quantile(numbers, levels).tolist(), strict=True))
        return cls(count=len(numbers), mean=float(numbers.mean()), **percentiles)
