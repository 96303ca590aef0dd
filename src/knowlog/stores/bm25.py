"""BM25 (Robertson and Zaragoza 2009, as Lucene computes it)."""

import math
from collections import Counter

K1 = 1.2
B = 0.75

_PRIOR_LENGTH = 150
_PRIOR_CHUNKS = 10
_STEPS = 16  # an octave


def average_length(total_length: int, chunk_count: int) -> float:
    """Return the mean chunk length in lexemes, drawn to a prior while there are few chunks.

    Rounded to a step of 4 %: what a chunk weighs must not tell of each other chunk that there is (decision 0011).
    """
    mean = (total_length + _PRIOR_LENGTH * _PRIOR_CHUNKS) / (chunk_count + _PRIOR_CHUNKS)
    return float(2 ** (round(math.log2(mean) * _STEPS) / _STEPS))


def coarse(count: int) -> int:
    """Return a count of chunks as it may be told to one who does not see them all: the next power of two, 8 at least."""
    return max(8, 1 << max(0, count - 1).bit_length())


def roughly(count: int) -> int:
    """Return a count rounded up to eighths of a power of two, and to eights at least.

    Enough to know which of two words is rarer, where `coarse` would call both as common.
    """
    step = max(8, coarse(count) // 16)
    return max(1, -(-count // step)) * step


def weigh(counts: Counter[int], average: float) -> dict[int, float]:
    """Return the weight, below K1 + 1, of each term of a chunk that holds it so many times."""
    norm = K1 * (1 - B + B * counts.total() / average)
    return {term: count * (K1 + 1) / (count + norm) for term, count in counts.items()}


def inverse_frequency(chunk_count: int, holding: int) -> float:
    """Return ln(1 + (N - df + 0.5) / (df + 0.5)), where df = `holding` of N = `chunk_count` chunks."""
    return math.log(1 + (max(chunk_count, holding) - holding + 0.5) / (holding + 0.5))
