"""Two legs into one ranking, by normalised scores (decision 0005)."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

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
    shares = [0.0 if each in lexical_only else share for each in candidates]
    ranked = Ranked(dense, lexical)
    scores = zip(candidates, shares, by_meaning, by_words, strict=True)
    fused = [Fused(each, own * meaning + (1 - own) * words, ranked) for each, own, meaning, words in scores]
    return sorted(fused, key=lambda each: (-each.score, each.chunk_id))


def scaled(
    scores: Mapping[int, float], candidates: Sequence[int], absent: float, least: float = math.inf
) -> list[float]:
    """Min-max over the candidates and `least`; where all are equal, each counts as the best."""
    complete = [scores.get(chunk_id, absent) for chunk_id in candidates]
    low, high = min(least, *complete, math.inf), max(complete, default=0.0)
    if high <= low:
        return [1.0] * len(complete)
    return [(score - low) / (high - low) for score in complete]


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    ranking = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return {chunk_id: rank for rank, chunk_id in enumerate(ranking, 1)}
