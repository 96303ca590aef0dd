"""Normalised discounted cumulative gain."""

import math
from collections.abc import Mapping, Sequence


def ndcg(ranking: Sequence[str], relevance: Mapping[str, int], k: int) -> float:
    """How much of the best possible gain the first k of the ranking collect, 0 to 1; early ranks count more.

    The gain of a document is its judged relevance, the discount log2(rank + 1), as in trec_eval and BEIR
    (Järvelin and Kekäläinen, ACM TOIS 20(4), 2002). A question without a relevant document scores 0.
    """
    gained = _discounted([max(relevance.get(each, 0), 0) for each in ranking[:k]])
    best = _discounted(sorted((value for value in relevance.values() if value > 0), reverse=True)[:k])
    return gained / best if best else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
