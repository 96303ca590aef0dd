"""Cluster-semantic chunking: the division of the text whose chunks are most alike within, by dynamic programming.

After Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024). A chunk is worth the sum of
the cosines of its pieces, each less the mean cosine of all pairs of the text; the best division of all is found. Only
pieces that can share a chunk are compared, so that time and memory grow in step with the text.
"""

import numpy as np
from numpy.typing import NDArray

from knowlog.chunking.model import Span
from knowlog.chunking.packing import pack
from knowlog.chunking.tokens import Range
from knowlog.chunking.vectors import vectors_of
from knowlog.chunking.work import Work

_PIECES = 6  # of full length in a full chunk
_LEAST_PIECE = 16


def split(work: Work) -> list[Span]:
    """Return spans of whole sentences, those together that are about one thing; nothing is repeated."""
    pieces = pack(work, work.places.units, max(_LEAST_PIECE, work.size // _PIECES))
    cosines = _surplus(vectors_of(work, pieces), _most_together(pieces, work.size))
    ends = _division(pieces, cosines, work.size)
    return work.spans([(pieces[first][0], pieces[after_last - 1][1]) for first, after_last in ends])


def _most_together(pieces: list[Range], size: int) -> int:
    """Return how many pieces one chunk may hold at most."""
    ends = np.array([end for _, end in pieces])
    starts = np.array([start for start, _ in pieces])
    reach = np.searchsorted(ends, starts + size, side="right") - np.arange(len(pieces))
    return max(1, int(reach.max(initial=1)))


def _surplus(vectors: NDArray[np.float32], most: int) -> NDArray[np.float64]:
    """Return [piece, distance]: the cosine with the piece so far before it, less the mean of all pairs."""
    count = len(vectors)
    pairs = count * (count - 1)
    total = vectors.sum(axis=0, dtype=np.float64)
    mean = (float(total @ total) - count) / pairs if pairs else 0.0
    band = np.zeros((count, most))
    for distance in range(1, min(most, count)):
        cosines = np.einsum("ij,ij->i", vectors[distance:], vectors[:-distance])
        band[distance:, distance] = cosines - mean
    return band


def _division(pieces: list[Range], surplus: NDArray[np.float64], size: int) -> list[Range]:
    """Return the best division as half-open ranges of pieces."""
    count, most = surplus.shape
    best = np.zeros(count + 1)
    begins = np.zeros(count + 1, np.int64)
    worth = np.zeros(most + 1)  # of the chunks that end with the present piece, by number of pieces
    for last in range(count):
        worth[1:] = worth[:-1] + 2 * np.cumsum(surplus[last])
        worth[0] = 0.0
        together = _fitting(pieces, last, most, size)
        values = worth[1 : together + 1] + best[last + 1 - np.arange(1, together + 1)]
        chosen = int(np.argmax(values)) + 1
        best[last + 1], begins[last + 1] = values[chosen - 1], last + 1 - chosen
    return _walked_back(begins, count)


def _fitting(pieces: list[Range], last: int, most: int, size: int) -> int:
    together = 1
    while together < min(most, last + 1) and pieces[last][1] - pieces[last - together][0] <= size:
        together += 1
    return together


def _walked_back(begins: NDArray[np.int64], count: int) -> list[Range]:
    found: list[Range] = []
    end = count
    while end > 0:
        found.append((int(begins[end]), end))
        end = int(begins[end])
    return found[::-1]
