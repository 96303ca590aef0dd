"""Semantic chunking: cut where the meaning changes, that is where neighbouring sentences have a low cosine.

After Kamradt's "5 levels of text splitting": a sentence is compared together with the one before and the one behind it,
since one alone says too little. The threshold is a cosine, or a percentile of all cosines of the text.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from knowlog.chunking.model import ChunkingProfile, Span
from knowlog.chunking.packing import pack
from knowlog.chunking.tokens import Range
from knowlog.chunking.vectors import vectors_of
from knowlog.chunking.work import Work

_AROUND = 1  # sentences on either side that are compared with one
_COMPARED_TOKENS = 120
"""Most tokens of one unit that is compared; a longer one is compared in parts."""


def split(work: Work) -> list[Span]:
    """Return spans between changes of meaning; what is too long between two changes is cut at sentences."""
    units = pack(work, work.places.units, min(work.size, _COMPARED_TOKENS), most_units=1)
    changes = _changes(work, units)
    starts = [first for first, _ in units]
    ranges: list[Range] = []
    for group in pairwise([0, *changes, len(work.tokens)]):
        ranges += pack(work, starts, work.size, group)
    return work.spans(ranges)


def _changes(work: Work, units: list[Range]) -> list[int]:
    """Return the tokens that begin a unit before which the meaning changes."""
    if len(units) < 2:
        return []
    last = len(units) - 1
    windows = [
        (units[max(0, place - _AROUND)][0], units[min(last, place + _AROUND)][1])
        for place in range(len(units))
    ]
    vectors = vectors_of(work, windows)
    cosines = np.einsum("ij,ij->i", vectors[:-1], vectors[1:])
    least = _threshold(work.profile, cosines)
    return _spaced([units[place + 1][0] for place in np.flatnonzero(cosines < least)], work.size // 10)


def _spaced(changes: list[int], least: int) -> list[int]:
    """Leave out changes that would part off less than `least` tokens: a "Yes." is no subject."""
    kept = [0]
    for change in changes:
        if change - kept[-1] >= least:
            kept.append(change)
    return kept[1:]


def _threshold(profile: ChunkingProfile, cosines: NDArray[np.float32]) -> float:
    if profile.percentile is None:
        return profile.similarity
    return float(np.percentile(cosines, profile.percentile))
