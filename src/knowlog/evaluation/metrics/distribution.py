"""Means and percentiles of many measurements."""

import math
from collections.abc import Iterable, Sequence


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean; 0 for no values."""
    held = list(values)
    return math.fsum(held) / len(held) if held else 0.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` (0 to 100) of the values lie, linear between neighbours as in numpy.

    Raises ValueError for no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("There is no percentile of no values.")
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
