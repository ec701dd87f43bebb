"""Which frame is drawn n-th: a function of the seed and n, so that any worker can tell, and a resumed run."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edge.training.dataset import LabelledFrame
from edge.training.engine.config import DataLoader
from edge.training.synthetic.chance import chance

_CLEAN = 1 / 5
_ROUND_STREAM = 1
_SUBSET_STREAM = 2

Classes = Sequence[frozenset[int]]


class Order(ABC):
    """An endless order of frames."""

    @abstractmethod
    def frame_at(self, draw: int, rng: np.random.Generator) -> int:
        """Return the index of the draw's frame; ``rng`` is the draw's own."""


class ShuffledRounds(Order):
    """Round after round, each a new permutation: Detectron2's TrainingSampler and its relatives.

    Args:
        repeats: (N,) how often a frame is in a round; of fractions chance decides round by round.
        seed: of the permutations.
    """

    def __init__(self, repeats: npt.NDArray[np.float64], seed: int) -> None:
        self._repeats = repeats
        self._seed = seed
        self._starts = [0]  # of the rounds that were reached so far
        self._round = lru_cache(maxsize=2)(self._make_round)

    def frame_at(self, draw: int, rng: np.random.Generator) -> int:  # noqa: ARG002 - rounds have their own
        """Return the index of the draw's frame."""
        while draw >= self._starts[-1]:
            self._starts.append(self._starts[-1] + len(self._round(len(self._starts) - 1)))
        number = bisect_right(self._starts, draw) - 1
        return int(self._round(number)[draw - self._starts[number]])

    def __getstate__(self) -> dict[str, object]:
        """Leave the cache behind when a process is started with this."""
        return {"repeats": self._repeats, "seed": self._seed}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Begin with an empty cache."""
        self.__init__(**state)  # type: ignore[misc] # what __getstate__ returned

    def _make_round(self, number: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng([self._seed, _ROUND_STREAM, number])
        whole = np.floor(self._repeats)
        counts = whole + (rng.random(len(whole)) < self._repeats - whole)
        return rng.permutation(np.repeat(np.arange(len(counts)), counts.astype(np.int64)))


class BalancedClasses(Order):
    """Classes between equal shares and their natural ones, whatever is rare; one draw in five is clean."""

    def __init__(self, classes: Classes) -> None:
        every = range(len(classes))
        self._clean = [i for i in every if not classes[i]] or list(every)
        self._by_class = [
            [i for i in every if class_id in classes[i]] for class_id in sorted(frozenset().union(*classes))
        ]
        # The square root: a frequent class is also the one that looks the most diverse.
        weights = np.array([len(group) ** 0.5 for group in self._by_class])
        self._weights = weights / max(1e-9, weights.sum())

    def frame_at(self, draw: int, rng: np.random.Generator) -> int:  # noqa: ARG002 - draws are independent
        """Return the index of the draw's frame."""
        if not self._by_class or chance(_CLEAN, rng):
            return self.clean_frame(rng)
        group = self._by_class[int(rng.choice(len(self._by_class), p=self._weights))]
        return group[int(rng.integers(len(group)))]

    def clean_frame(self, rng: np.random.Generator) -> int:
        """Return the index of a frame without defects, if there is one."""
        return self._clean[int(rng.integers(len(self._clean)))]


def build_order(frames: Sequence[LabelledFrame], config: DataLoader, seed: int) -> Order:
    """The order that SAMPLER_TRAIN names."""
    return ShuffledRounds(_repeats([frame.class_ids for frame in frames], config, seed), seed)


def repeat_factors(classes: Classes, threshold: float, *, sqrt: bool = True) -> npt.NDArray[np.float64]:
    """(N,): how often each frame is to be drawn in a round.

    A class on fewer than ``threshold`` of the frames has a factor of (square root of) threshold / frequency;
    a frame has the largest factor of its classes (https://arxiv.org/abs/1908.03195, appendix B.2).
    """
    counts = Counter(class_id for frame in classes for class_id in frame)
    ratios = {class_id: threshold * len(classes) / count for class_id, count in counts.items()}
    factors = {class_id: max(1.0, ratio**0.5 if sqrt else ratio) for class_id, ratio in ratios.items()}
    return np.array([max((factors[class_id] for class_id in frame), default=1.0) for frame in classes])


def _repeats(classes: Classes, config: DataLoader, seed: int) -> npt.NDArray[np.float64]:
    if config.sampler_train == "RepeatFactorTrainingSampler":
        return repeat_factors(classes, config.repeat_threshold, sqrt=config.repeat_sqrt)
    repeats = np.ones(len(classes))
    if config.sampler_train == "RandomSubsetTrainingSampler":
        rng = np.random.default_rng([seed, _SUBSET_STREAM])
        kept = max(1, int(len(classes) * config.random_subset_ratio))
        repeats[rng.permutation(len(classes))[kept:]] = 0.0
    return repeats
