"""Recall at a depth."""

from collections.abc import Mapping, Sequence


def recall(ranking: Sequence[str], relevance: Mapping[str, int], k: int) -> float:
    """Which share of the relevant documents is among the first k, 0 to 1 (trec_eval's recall_k).

    Relevant is a judgement above 0. A question without a relevant document scores 0.
    """
    relevant = {each for each, value in relevance.items() if value > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0
