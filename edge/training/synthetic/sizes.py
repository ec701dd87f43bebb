"""How often, how many and how large: the Severstal training set in numbers.

All tables come from the 12,568 annotated frames of Severstal's steel defect data set (256 x 1600 px).
Class ids count from 0: id 0 is Severstal's class 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLASS_COUNT = 4

Combination = tuple[int, ...]

# Number of images for each set of classes that occur together in a defective frame.
NATURAL_COMBINATIONS: dict[Combination, float] = {
    (2,): 4759,
    (0,): 769,
    (3,): 516,
    (2, 3): 284,
    (1,): 195,
    (0, 2): 91,
    (0, 1): 35,
    (1, 2): 14,
    (0, 1, 2): 2,
    (1, 3): 1,
}
# No class is rare: for training, where 3.5 % of class 2 would teach too little.
BALANCED_COMBINATIONS: dict[Combination, float] = {
    (0,): 24,
    (1,): 14,
    (2,): 30,
    (3,): 22,
    (2, 3): 4,
    (0, 2): 2,
    (0, 1): 3,
    (1, 2): 1,
}

_LEVELS = np.array([0.0, 0.05, 0.25, 0.50, 0.65, 0.75, 0.85, 0.95, 0.99, 1.0])


@dataclass(frozen=True, slots=True)
class ComponentTable:
    """Sizes in px of one class's components at the levels 0, 5, 25, 50, 65, 75, 85, 95, 99, 100 %."""

    height_px: tuple[float, ...]
    width_px: tuple[float, ...]
    correlation: float  # of log height and log width
    count: tuple[tuple[int, float], ...]  # (components in a frame, probability)


COMPONENTS = (
    ComponentTable(
        height_px=(14, 24, 33, 44, 53, 63, 81, 157, 256, 256),
        width_px=(10, 17, 21, 26, 29, 32, 38, 51, 67, 90),
        correlation=0.37,
        count=((1, 0.441), (2, 0.142), (3, 0.075), (4, 0.053), (5, 0.053), (7, 0.12), (9, 0.07), (13, 0.047)),
    ),
    ComponentTable(
        height_px=(45, 75, 124, 169, 195, 218, 254, 256, 256, 256),
        width_px=(7, 10, 14, 19, 23, 25, 29, 34, 42, 55),
        correlation=0.48,
        count=((1, 0.737), (2, 0.231), (3, 0.028), (4, 0.004)),
    ),
    ComponentTable(
        # 255.4: so that 21 % reach from the frame's first row to its last.
        height_px=(10, 21, 65, 159, 249, 255.4, 256, 256, 256, 256),
        width_px=(7, 13, 22, 33, 48, 65, 119, 370, 1126, 1500),
        correlation=0.07,
        count=((1, 0.308), (2, 0.257), (3, 0.164), (4, 0.085), (5, 0.08), (7, 0.07), (9, 0.028), (12, 0.009)),
    ),
    ComponentTable(
        height_px=(12, 25, 59, 99, 127, 156, 197, 250, 256, 256),
        width_px=(14, 29, 70, 126, 170, 213, 280, 462, 800, 1000),
        correlation=0.72,
        count=((1, 0.391), (2, 0.285), (3, 0.145), (4, 0.06), (5, 0.055), (7, 0.06), (11, 0.004)),
    ),
)


def draw_count(class_id: int, rng: np.random.Generator) -> int:
    """Number of components that a frame with this class shows."""
    counts, weights = zip(*COMPONENTS[class_id].count, strict=True)
    return int(rng.choice(counts, p=_normalised(weights)))


def draw_size(class_id: int, rng: np.random.Generator) -> tuple[int, int]:
    """(height, width) in px of one component; correlated like the real ones (a Gaussian copula)."""
    table = COMPONENTS[class_id]
    first, second = rng.standard_normal(2)
    other = table.correlation * first + np.sqrt(1.0 - table.correlation**2) * second
    return _quantile(table.height_px, first), _quantile(table.width_px, float(other))


def draw_combination(weights: dict[Combination, float], rng: np.random.Generator) -> Combination:
    """The set of classes of one defective frame."""
    combinations = list(weights)
    return combinations[int(rng.choice(len(combinations), p=_normalised(tuple(weights.values()))))]


def _quantile(percentiles: tuple[float, ...], normal: float) -> int:
    """The size at a standard normal number's own percentile; sizes are interpolated in their logarithm."""
    level = _normal_cdf(normal)
    return round(float(np.exp(np.interp(level, _LEVELS, np.log(percentiles)))))


def _normal_cdf(value: float) -> float:
    """The logistic approximation of the normal distribution (error below 0.0002: Bowling et al. 2009)."""
    return float(1.0 / (1.0 + np.exp(-0.07056 * value**3 - 1.5976 * value)))


def _normalised(weights: tuple[float, ...]) -> npt.NDArray[np.float64]:
    array = np.asarray(weights, dtype=np.float64)
    return np.asarray(array / array.sum())
