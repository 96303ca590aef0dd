"""Two legs into one ranking, by normalised scores (decision 0005)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowlog.retrieval.model import Leg


@dataclass(frozen=True, slots=True)
class Fused:
    """A chunk in the joint ranking: its score, 0 to 1, and how each leg that has one sees it."""

    chunk_id: int
    score: float
    legs: dict[str, Leg]


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float], dense_weight: float) -> list[Fused]:
    """Join the scores of both legs, best first; ties in the order of chunk ids.

    Both are scaled to 0 ... 1 over all chunks that either leg found. A chunk with none of the question's
    lexemes has a lexical score of 0, one without a vector counts as the lowest. With one leg empty, the
    other decides alone.
    """
    candidates = sorted(dense.keys() | lexical.keys())
    share = dense_weight if dense and lexical else 1.0 if dense else 0.0
    by_meaning = _scaled(dense, candidates, min(dense.values(), default=0.0))
    by_words = _scaled(lexical, candidates, 0.0)
    legs = {"lexical": _legs(lexical), "dense": _legs(dense)}
    fused = [
        Fused(
            chunk_id,
            share * by_meaning[chunk_id] + (1 - share) * by_words[chunk_id],
            {name: ranked[chunk_id] for name, ranked in legs.items() if chunk_id in ranked},
        )
        for chunk_id in candidates
    ]
    return sorted(fused, key=lambda each: (-each.score, each.chunk_id))


def _scaled(scores: Mapping[int, float], candidates: Iterable[int], absent: float) -> dict[int, float]:
    """Min-max over the candidates; where all are equal, each counts as the best."""
    complete = {chunk_id: scores.get(chunk_id, absent) for chunk_id in candidates}
    low, high = min(complete.values(), default=0.0), max(complete.values(), default=0.0)
    if high <= low:
        return dict.fromkeys(complete, 1.0)
    return {chunk_id: (score - low) / (high - low) for chunk_id, score in complete.items()}


def _legs(scores: Mapping[int, float]) -> dict[int, Leg]:
    ranking = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return {chunk_id: Leg(rank, scores[chunk_id]) for rank, chunk_id in enumerate(ranking, 1)}
