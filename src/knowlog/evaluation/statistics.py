"""How sure a figure is: bootstrap intervals of a mean, and of the mean difference of two runs.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals); Sakai, "Evaluating
evaluation metrics based on the bootstrap", SIGIR 2006 (paired by question). Drawn anew, few values of one sign never lead
over zero: a difference has to stand against a randomisation test as well (Smucker, Allan and Carterette, "A comparison of
statistical significance tests for information retrieval evaluation", CIKM 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
LEVEL = 0.95
_AT_ONCE = 4_000_000
"""Numbers drawn at a time, so that a large dataset needs no large memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the interval in which it lies with the level that was asked for. `count` is the number of values."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the difference that it is about is significant."""
        return self.low > 0 or self.high < 0


def bootstrap(values: Sequence[float], seed: int, level: float = LEVEL) -> Interval:
    """Return the mean of values and its percentile bootstrap interval. The same seed gives the same interval.

    Raises ValueError where there is no value.
    """
    held = np.asarray(values, float)
    if not len(held):
        raise ValueError("There is no mean of no values.")
    means = _resampled_means(held, np.random.default_rng(seed))
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(held.mean()), float(low), float(high), len(held))


def paired(differences: Sequence[float], seed: int, level: float = LEVEL) -> Interval:
    """Return the mean of differences, question by question, and an interval that leaves zero out only where chance is
    ruled out: where signs thrown at random rarely lead so far from zero. So a few questions prove nothing.

    Raises ValueError where there is no difference.
    """
    found = bootstrap(differences, seed, level)
    if found.excludes_zero and by_chance(differences, seed) > 1 - level:
        return replace(found, low=min(found.low, 0.0), high=max(found.high, 0.0))
    return found


def by_chance(differences: Sequence[float], seed: int) -> float:
    """Return how probable a mean so far from zero is, were either sign of each difference as likely as the other."""
    held = np.abs(np.asarray(differences, float))
    random = np.random.default_rng(seed)
    rows = max(1, min(RESAMPLES, _AT_ONCE // len(held)))
    sums = np.concatenate(
        [
            random.choice([-1.0, 1.0], (min(rows, RESAMPLES - start), len(held))) @ held
            for start in range(0, RESAMPLES, rows)
        ]
    )
    seen = abs(sum(differences))
    return float((1 + np.count_nonzero(np.abs(sums) >= seen - 1e-9)) / (1 + RESAMPLES))


def _resampled_means(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    rows = max(1, min(RESAMPLES, _AT_ONCE // len(values)))
    means = [
        values[random.integers(0, len(values), (min(rows, RESAMPLES - start), len(values)))].mean(axis=1)
        for start in range(0, RESAMPLES, rows)
    ]
    return np.concatenate(means)
