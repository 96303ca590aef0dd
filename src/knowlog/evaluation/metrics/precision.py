"""Precision at a depth."""

from collections.abc import Mapping, Sequence


def precision(ranking: Sequence[str], relevance: Mapping[str, int], k: int) -> float:
    """Which share of the first k places holds a relevant document, 0 to 1 (trec_eval's P_k).

    Relevant is a judgement above 0. Places that the search left empty count as wrong.
    """
    return sum(relevance.get(each, 0) > 0 for each in ranking[:k]) / k
