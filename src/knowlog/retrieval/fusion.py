"""Two legs into one ranking, by normalised scores (decision 0005)."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice
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
    shares = np.array([0.0 if each in lexical_only else share for each in candidates])
    scores = shares * by_meaning + (1 - shares) * by_words
    ranked = Ranked(dense, lexical)
    return [
        Fused(candidates[place], score, ranked)
        for place, score in zip(*_best_first(candidates, scores), strict=True)
    ]


def scaled(
    scores: Mapping[int, float], candidates: Sequence[int], absent: float, least: float = math.inf
) -> NDArray[np.float64]:
    """Min-max over the candidates and `least`; where all are equal, each counts as the best."""
    complete = np.array([scores.get(chunk_id, absent) for chunk_id in candidates], np.float64)
    low, high = complete.min(initial=least), complete.max(initial=0.0)
    if high <= low:
        return np.ones_like(complete)
    complete -= low
    complete /= high - low
    return complete


def _best_first(ids: Sequence[int], scores: NDArray[np.float64]) -> tuple[list[int], list[float]]:
    """The places of the ids in the order of their scores, and those scores; ties in the order of the ids."""
    order = np.lexsort((np.array(ids, np.int64), -scores))
    return order.tolist(), scores[order].tolist()


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    ids = list(scores)
    places, _ = _best_first(ids, np.fromiter(scores.values(), np.float64, len(ids)))
    return {ids[place]: rank for rank, place in enumerate(places, 1)}
