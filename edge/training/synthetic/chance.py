"""One throw of a loaded coin."""

import numpy as np


def chance(probability: float, rng: np.random.Generator) -> bool:
    """Whether something of this probability happens."""
    return bool(rng.random() < probability)
