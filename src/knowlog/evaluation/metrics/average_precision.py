"""Precision at each relevant document, averaged."""

from collections.abc import Mapping, Sequence


def average_precision(ranking: Sequence[str], relevance: Mapping[str, int]) -> float:
    """The mean, over all relevant documents, of the precision where each stands; 0 for one that is not found.

    0 to 1 (trec_eval's map); its mean over questions is MAP (Harman, TREC-1, 1992). Relevant is a judgement above 0. A
    question without a relevant document scores 0.
    """
    relevant = sum(value > 0 for value in relevance.values())
    found, total = 0, 0.0
    for rank, each in enumerate(ranking, start=1):
        if relevance.get(each, 0) > 0:
            found += 1
            total += found / rank
    return total / relevant if relevant else 0.0
