"""Two legs into one ranking, by normalised scores (decision 0005)."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from itertools import count, islice, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from knowlog.retrieval.model import Leg

_MANY = 100
"""From so many candidates on, the lowest cosine among them is the foot of the dense scale."""


class Ranked:
    """The scores of both legs. Ranks are counted when they are asked for: few of the candidates are shown."""

    def __init__(self, dense: Mapping[int, float], lexical: Mapping[int, float]) -> None:
        self._scores = {"lexical": lexical, "dense": dense}

    def legs(self, chunk_id: int) -> dict[str, Leg]:
        """How each leg that has the chunk sees it."""
        return {
            name: Leg(self._ranks[name][chunk_id], scores[chunk_id])
            for name, scores in self._scores.items()
            if chunk_id in scores
        }

    def scores(self, leg: str) -> Mapping[int, float]:
        """What a leg gives the chunks that it has."""
        return self._scores[leg]

    def best(self, leg: str, most: int) -> list[int]:
        """The chunks that a leg has first, `most` of them."""
        return list(islice(self._ranks[leg], most))

    @cached_property
    def _ranks(self) -> dict[str, dict[int, int]]:
        return {name: _ranks(scores) for name, scores in self._scores.items()}


class Fused(NamedTuple):
    """A chunk in the joint ranking, and its score, 0 to 1."""

    chunk_id: int
    score: float
    ranked: Ranked

    @property
    def legs(self) -> dict[str, Leg]:
        """How each leg that has the chunk sees it."""
        return self.ranked.legs(self.chunk_id)


_new_fused = partial(tuple.__new__, Fused)
"""Of a tuple of its values: a search makes hundreds, and this takes half as long as to call the class."""


def fuse(
    dense: Mapping[int, float],
    lexical: Mapping[int, float],
    dense_weight: float,
    lexical_only: Collection[int] = (),
) -> list[Fused]:
    """Join the scores of both legs, best first; ties in the order of chunk ids.

    Both are scaled to 0 ... 1 over all chunks that either leg found. A chunk with none of the question's
    lexemes has a lexical score of 0, one without a vector counts as the lowest. With one leg empty, the
    other decides alone; for the chunks that are `lexical_only`, because no model answers for them, too.

    The lowest of a few cosines says little about what is unrelated: the fewer candidates, the nearer to 0 is the
    foot of the dense scale, so that a hair between two cosines does not outweigh a word that only one chunk has.
    """
    candidates = list(dense.keys() | lexical.keys())
    share = dense_weight if dense and lexical else 1.0 if dense else 0.0
    lowest = min(dense.values(), default=0.0)
    by_meaning = scaled(dense, candidates, lowest, lowest * min(1.0, len(candidates) / _MANY))
    by_words = scaled(lexical, candidates, 0.0)
    shares = np.full(len(candidates), share)
    if lexical_only:
        shares[[each in lexical_only for each in candidates]] = 0.0
    ids, scores = _best_first(candidates, shares * by_meaning + (1 - shares) * by_words)
    return list(map(_new_fused, zip(ids, scores, repeat(Ranked(dense, lexical)))))


def scaled(
    scores: Mapping[int, float], candidates: Sequence[int], absent: float, least: float = math.inf
) -> NDArray[np.float64]:
    """Min-max over the candidates and `least`; where all are equal, each counts as the best."""
    found = map(scores.get, candidates, repeat(absent))
    complete = np.fromiter(found, np.float64, len(candidates))
    low, high = complete.min(initial=least), complete.max(initial=0.0)
    if high <= low:
        return np.ones_like(complete)
    complete -= low
    complete /= high - low
    return complete


def _best_first(ids: Collection[int], scores: NDArray[np.float64]) -> tuple[list[int], list[float]]:
    """The ids in the order of their scores, and those scores; ties in the order of the ids."""
    numbers = np.fromiter(ids, np.int64, len(ids))
    order = np.lexsort((numbers, -scores))
    return numbers[order].tolist(), scores[order].tolist()


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    ids, _ = _best_first(scores.keys(), np.fromiter(scores.values(), np.float64, len(scores)))
    return dict(zip(ids, count(1)))
