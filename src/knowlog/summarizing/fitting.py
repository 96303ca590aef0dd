"""Which sentences together are worth most and as long as was wished: a knapsack with a floor, solved exactly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST_ITEM = 200
"""Beyond the ceiling by so much at most, where nothing lies between floor and ceiling."""


def fit(values: Sequence[float], sizes: Sequence[int], low: int, high: int) -> list[int]:
    """Return the places of the items that are worth most together, with a total size from `low` to `high`.

    Where no choice has such a size: the one nearest to the middle. Values are 0 or more, sizes 1 or more. Dynamic
    programming over the total size, in time len(sizes) * high.
    """
    most = high + _LONGEST_ITEM
    best = np.full(most + 1, -np.inf)
    best[0] = 0.0
    taken = np.zeros((len(sizes), most + 1), bool)
    for item, (value, size) in enumerate(zip(values, sizes, strict=True)):
        if size > most:
            continue
        with_it = np.full(most + 1, -np.inf)
        with_it[size:] = best[: most + 1 - size] + value
        taken[item] = with_it > best
        best = np.maximum(best, with_it)
    return _walk(taken, sizes, _chosen_size(best, low, high))


def _chosen_size(best: NDArray[np.float64], low: int, high: int) -> int:
    window = best[low : high + 1]
    if window.size and np.isfinite(window).any():
        return low + int(np.argmax(window))
    possible = np.flatnonzero(np.isfinite(best))
    return int(possible[np.argmin(np.abs(possible - (low + high) / 2))])


def _walk(taken: NDArray[np.bool_], sizes: Sequence[int], size: int) -> list[int]:
    chosen = []
    for item in range(len(sizes) - 1, -1, -1):
        if size and taken[item, size]:
            chosen.append(item)
            size -= sizes[item]
    return chosen[::-1]
